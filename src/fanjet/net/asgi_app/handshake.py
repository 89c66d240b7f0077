"""WebSocket handshakes performed by the ASGI server."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from ..http1.exchange import Exchange


class HandshakeConnection(Protocol):
    """The ASGI server's side of a handshake."""

    def accept_socket(
        self,
        subprotocol: bytes | None,
        separator: bytes | None,
        make_protocol: Callable[[asyncio.Transport], asyncio.Protocol],
    ) -> None:
        """Accept and start the protocol."""


class HandshakeExchange(Exchange, eq=False):
    """A valid handshake whose origin is unchecked.

    `accept` is its counterpart of `upgrade` on HTTP/1.1.
    """

    def accept(
        self,
        subprotocol: bytes | None,
        make_protocol: Callable[[asyncio.Transport], asyncio.Protocol],
        *,
        separator: bytes | None = None,
    ) -> None:
        """Accept, and pass a transport for frames to the protocol.

        Calls its `connection_made`. Messages written together may be joined with `separator`, if given.
        """
        connection = self._finish(101)
        if connection is not None:
            cast("HandshakeConnection", connection).accept_socket(subprotocol, separator, make_protocol)
