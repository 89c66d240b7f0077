"""The command line: one module per command (04 §1.6, §7)."""
