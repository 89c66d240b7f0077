"""RPC methods of the embedding program, called through the server API (05 §6.13)."""

from collections.abc import Awaitable, Callable

RPCMethod = Callable[[bytes], Awaitable[bytes]]
"""Takes the parameters and returns the result, both JSON and empty for none."""
