"""Application events: handler interface, in-process handlers, backend proxies."""
