"""Protocol clients of the load generator."""
