"""File descriptors of transports, for writing without the event loop.

They are written to with write(2). The event loop accounts for a tenth of the cost of sending a short message. Writing
directly is correct as long as nothing is buffered and the protocol has not lost its connection: until then asyncio and
uvloop keep the descriptor open.
"""

import asyncio
from typing import Final

NO_DESCRIPTOR: Final = -1


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """Return the socket descriptor of a transport that passes bytes unchanged.

    Returns `NO_DESCRIPTOR` for others: a multiplexed stream has no socket of its own. Not for TLS.
    """
    socket = transport.get_extra_info("socket")
    return NO_DESCRIPTOR if socket is None else int(socket.fileno())
