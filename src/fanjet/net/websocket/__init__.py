"""WebSocket server (RFC 6455, RFC 7692): handshake, frames, connection."""
