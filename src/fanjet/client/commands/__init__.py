"""Client commands: one module per command, and the dispatch table (01 §6)."""
