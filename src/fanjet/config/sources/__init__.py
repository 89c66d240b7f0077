"""Sources of the configuration: file, environment and flags (04 §1)."""
