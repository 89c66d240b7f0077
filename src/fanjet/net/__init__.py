"""HTTP, WebSocket, TLS and timers on sockets. Independent of messaging."""
