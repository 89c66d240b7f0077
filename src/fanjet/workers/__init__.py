"""Several processes that serve the same addresses: who starts them, keeps them running and speaks for all (04 §12)."""
