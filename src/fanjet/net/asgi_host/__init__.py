"""An ASGI application (version 3) behind our own HTTP front."""
