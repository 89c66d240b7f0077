"""Several worker processes on the same addresses, and the supervisor that starts and restarts them (04 §12)."""
