"""Where configuration comes from: the file, the environment, flags (04 §1)."""
