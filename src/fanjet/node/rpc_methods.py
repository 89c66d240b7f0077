"""Procedures of the embedding program, which the server API calls by name (05 §6.13)."""

from collections.abc import Awaitable, Callable

RPCMethod = Callable[[bytes], Awaitable[bytes]]
"""Takes the parameters and returns the result, both JSON and empty for none."""
