"""What nodes tell each other, in Protobuf: `make proto` generates the module."""
