"""Keys that are published on the web, as JSON Web Key Sets (03 §6.3)."""
