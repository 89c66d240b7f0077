"""gRPC on HTTP/2: calls, their messages and statuses. Knows no service but reflection."""
