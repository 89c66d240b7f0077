"""Live traces of channels and connections (10 I.2)."""
