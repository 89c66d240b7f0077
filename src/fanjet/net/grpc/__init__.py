"""A gRPC server on HTTP/2: calls, messages, statuses and reflection."""
