"""Responses with a streamed body."""

import asyncio
from collections.abc import Callable
from typing import Protocol

BodyFraming = Callable[[bytes], bytes]
"""The framing of one chunk of a streamed body. Compared by identity, so that chunks for many connections are framed
once."""


def chunked(piece: bytes) -> bytes:
    """One chunk of the chunked coding (RFC 9112 section 7.1).

    Not for empty chunks: that would end the body.
    """
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def unframed(piece: bytes) -> bytes:
    """The chunk unchanged.

    The protocol frames bodies itself, or the end of the connection ends them.
    """
    return piece


class ResponseStream(Protocol):
    """The body of a response, being written."""

    def write(self, data: bytes) -> None:
        """Write chunks framed with the exchange's `body_framing`.

        If the client does not read them at once, the owner's `on_blocked` is called.
        """

    def finish(self) -> None:
        """End the body after the written chunks."""

    def abort(self) -> None:
        """Abort: the client sees that the body is incomplete."""


class StreamOwner(Protocol):
    """The writer of a body. No method is called after `finish`, `abort` or `on_lost`."""

    def on_blocked(self) -> None:
        """The client does not read; further writes are buffered in memory."""

    def on_writable(self) -> None:
        """Everything written was sent."""

    def on_lost(self) -> None:
        """The client has disconnected."""


class Http1Stream:
    """A body on an HTTP/1.1 connection.

    `on_finished` writes the end of the body and continues the connection.
    """

    __slots__ = ("_last", "_on_finished", "_transport", "owner", "write")

    write: Callable[[bytes], None]

    def __init__(
        self,
        transport: asyncio.Transport,
        owner: StreamOwner,
        *,
        last: bytes,
        on_finished: Callable[[bytes], None],
    ) -> None:
        """`last` is written at the end: the last chunk, or nothing."""
        self.write = transport.write
        self.owner = owner
        self._transport = transport
        self._last = last
        self._on_finished = on_finished

    def finish(self) -> None:
        """End the body, unless the client has disconnected."""
        self._on_finished(self._last)

    def abort(self) -> None:
        """Abort the connection."""
        self._transport.abort()
