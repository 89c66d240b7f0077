"""Exchanges that may become tunnels (extended CONNECT, RFC 8441)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from .http1.exchange import Exchange

Field = tuple[bytes, bytes]


class Tunnelling(Protocol):
    """The stream of an extended CONNECT."""

    def open_tunnel(
        self, headers: Sequence[Field], make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]
    ) -> None:
        """Answer 200 and give both directions of the stream away."""


class TunnelExchange(Exchange, eq=False):
    """A CONNECT that names a protocol: also waits for `open_tunnel`, which is what `upgrade` is on HTTP/1.1."""

    protocol: bytes = b""
    """What the client wants to speak, as in `websocket`."""

    def open_tunnel(
        self, headers: Sequence[Field], make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]
    ) -> None:
        """Answer 200 with `headers` and hand the stream to the protocol, whose `connection_made` is called."""
        connection = self._finish(200)
        if connection is not None:
            cast("Tunnelling", connection).open_tunnel(headers, make_protocol)
