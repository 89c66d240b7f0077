"""Client transports: how a session's frames reach a client (contract chapter 02)."""
