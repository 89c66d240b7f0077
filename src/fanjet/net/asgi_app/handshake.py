"""Handshakes that a host conducts."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from ..http1.exchange import Exchange


class HandshakeConnection(Protocol):
    """The host's side of a handshake."""

    def accept_socket(
        self,
        subprotocol: bytes | None,
        separator: bytes | None,
        make_protocol: Callable[[asyncio.Transport], asyncio.Protocol],
    ) -> None:
        """Accept and let the protocol begin."""


class HandshakeExchange(Exchange, eq=False):
    """A handshake that is in order, but for its origin: also waits for `accept`, which is what `upgrade` is on
    HTTP/1.1."""

    def accept(
        self,
        subprotocol: bytes | None,
        make_protocol: Callable[[asyncio.Transport], asyncio.Protocol],
        *,
        separator: bytes | None = None,
    ) -> None:
        """Accept, and hand a transport for frames to the protocol, whose `connection_made` is called. Messages that are
        written together may be joined by `separator`, if there is one."""
        connection = self._finish(101)
        if connection is not None:
            cast("HandshakeConnection", connection).accept_socket(subprotocol, separator, make_protocol)
