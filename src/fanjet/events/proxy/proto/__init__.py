"""What backends speak, over gRPC in Protobuf and over HTTP in JSON with the same names (06 §15)."""
