"""Event proxies: events forwarded to backends over HTTP or gRPC (06)."""
