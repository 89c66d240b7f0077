"""Several worker processes on the same addresses, and their supervisor.

The supervisor starts and restarts the workers (04 §12).
"""
