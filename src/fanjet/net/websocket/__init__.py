"""WebSocket (RFC 6455, RFC 7692): handshake, frames, and the protocol that owns the socket afterwards."""
