"""Writing to a socket by its descriptor: the system call, without the event loop between.

Of what a short message costs to send, the event loop is a tenth. It is right as long as nothing waits to be written and
the protocol has not lost its connection: until then the loop, uvloop's as asyncio's, keeps the descriptor open.
"""

import asyncio
from typing import Final

NO_DESCRIPTOR: Final = -1


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """Return the descriptor of the socket that gets what is written to this transport as it is, `NO_DESCRIPTOR` where
    something lies between: a stream of a connection that carries several has no socket. Not for TLS."""
    socket = transport.get_extra_info("socket")
    return NO_DESCRIPTOR if socket is None else int(socket.fileno())
