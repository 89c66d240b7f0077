"""The typed configuration tree, one module per section of 04 §5."""
