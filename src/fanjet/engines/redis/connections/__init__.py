"""Connections to Redis servers.

Addresses, the pipelined protocol, reconnection and errors.
"""
