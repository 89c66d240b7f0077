"""What brokers store and send, in Protobuf: `make proto` generates the module."""
