"""The server's endpoints as an ASGI application (version 3)."""
