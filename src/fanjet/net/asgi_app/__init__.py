"""Endpoints behind somebody else's HTTP server, by ASGI (version 3)."""
