"""Application events: the handler interface, in-process handlers and proxies to backends."""
