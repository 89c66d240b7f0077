"""Exchanges that may become tunnels: extended CONNECT (RFC 8441)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from .http1.exchange import Exchange

Field = tuple[bytes, bytes]


class Tunnelling(Protocol):
    """The stream of an extended CONNECT request."""

    def open_tunnel(
        self, headers: Sequence[Field], make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]
    ) -> None:
        """Respond 200 and hand over both directions of the stream."""


class TunnelExchange(Exchange, eq=False):
    """A CONNECT request that names a protocol.

    `open_tunnel` is its counterpart of `upgrade` on HTTP/1.1.
    """

    protocol: bytes = b""
    """The requested protocol, such as `websocket`."""

    def open_tunnel(
        self, headers: Sequence[Field], make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]
    ) -> None:
        """Respond 200 with `headers` and hand the stream to the protocol.

        Calls its `connection_made`.
        """
        connection = self._finish(200)
        if connection is not None:
            cast("Tunnelling", connection).open_tunnel(headers, make_protocol)
