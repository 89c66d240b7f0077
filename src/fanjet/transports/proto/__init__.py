"""The unidirectional gRPC stream: `make proto` generates the modules."""
