"""The contract's admin endpoints (10 H) and the admin console."""
