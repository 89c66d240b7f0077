"""Messages of gRPC itself: `make proto` generates the modules."""
