"""Event proxies: the application is asked over HTTP or gRPC (06)."""
