"""The server API as gRPC has it: `make proto` generates the modules."""
