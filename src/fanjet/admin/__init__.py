"""What operators reach by HTTP: the contract's admin endpoints (10 H), and the console with what it asks for."""
