"""Reads replies and pushes on a client's connection."""

import asyncio
from collections.abc import Callable

from ..errors import BenchError
from .websocket import OP_CLOSE, PING, PONG_FRAME, FrameReader


class ReplyReader(asyncio.Protocol):
    """Takes over a connection, passes on its messages and replies to pings.

    Messages are passed on one by one.
    """

    __slots__ = ("_on_failure", "_on_message", "_reader", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        on_message: Callable[[bytes], None],
        on_failure: Callable[[BenchError], None],
    ) -> None:
        """Create a reader that reports a lost connection and errors to `on_failure`.

        The errors are those in messages before these are passed on.
        """
        self._transport = transport
        self._on_message = on_message
        self._on_failure = on_failure
        self._reader = FrameReader()
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        """Split frames into messages."""
        for opcode, payload in self._reader.frames(data):
            if opcode == OP_CLOSE:
                self._on_failure(BenchError(f"closed with {int.from_bytes(payload[:2], 'big')}"))
            for message in payload.split(b"\n"):
                self._dispatch(message)

    def _dispatch(self, message: bytes) -> None:
        if message == PING:
            self._transport.write(PONG_FRAME)
            return
        if b'"error"' in message:
            self._on_failure(BenchError(f"a command was answered {message[:200]!r}"))
        self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the lost connection."""
        self._on_failure(BenchError(f"connection closed by the server ({exc or 'end of stream'})"))
