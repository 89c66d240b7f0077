"""Generated from `metrics.proto`: `make proto`."""
