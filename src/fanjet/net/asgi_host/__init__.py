"""Hosts an ASGI application (version 3) behind our HTTP server."""
