"""File descriptors of transports, for writing with write(2) instead of the event loop.

The event loop accounts for a tenth of the cost of sending a short message. Writing directly is correct as long as
nothing is buffered and the protocol has not lost its connection: until then asyncio and uvloop keep the descriptor
open.
"""

import asyncio
from typing import Final

NO_DESCRIPTOR: Final = -1


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """Return the socket descriptor of a transport that passes written bytes unchanged, else `NO_DESCRIPTOR`: a
    multiplexed stream has no socket of its own. Not for TLS."""
    socket = transport.get_extra_info("socket")
    return NO_DESCRIPTOR if socket is None else int(socket.fileno())
