"""HTTP endpoints for operators: metrics, health, debugging (10 A, D)."""
