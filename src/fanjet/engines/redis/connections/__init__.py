"""Connections to Redis servers: addresses, the pipelined protocol, reconnection and errors."""
