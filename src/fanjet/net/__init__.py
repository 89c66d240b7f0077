"""Bytes on sockets: HTTP/1.1, WebSocket, TLS, deadlines. Knows nothing of messaging."""
