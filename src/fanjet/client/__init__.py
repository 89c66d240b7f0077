"""The session: the protocol state machine of one connection, whatever its transport (contract chapter 01)."""
