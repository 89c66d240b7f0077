"""gRPC definitions of the server API; `make proto` generates the modules."""
