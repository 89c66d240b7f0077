"""What operators ask a running server over HTTP: metrics, health, what it is doing right now (10 A, D)."""
