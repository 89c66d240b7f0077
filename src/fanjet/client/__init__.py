"""Client sessions: the protocol state machine of a connection, for all transports (contract chapter 01)."""
