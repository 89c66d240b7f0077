"""Keys published as JSON Web Key Sets (03 §6.3)."""
