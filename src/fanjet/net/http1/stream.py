"""Responses whose body is written bit by bit, for as long as the client listens."""

import asyncio
from collections.abc import Callable
from typing import Protocol

BodyFraming = Callable[[bytes], bytes]
"""What a piece of such a body has to go through before it is written. Compared by identity, so that pieces which many
connections get are framed once for all of them."""


def chunked(piece: bytes) -> bytes:
    """One chunk of the chunked coding (RFC 9112 section 7.1). Not for empty pieces: that would end the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def unframed(piece: bytes) -> bytes:
    """The piece as it is: where the protocol frames bodies itself, or the end of the connection ends them."""
    return piece


class ResponseStream(Protocol):
    """The body of a response, being written."""

    def write(self, data: bytes) -> None:
        """Write pieces that went through the exchange's `body_framing`. What the peer does not take at once makes the
        owner's `on_blocked` be called."""

    def finish(self) -> None:
        """End the body cleanly, behind what was written."""

    def abort(self) -> None:
        """Break off: the peer sees that the body is not whole."""


class StreamOwner(Protocol):
    """Who writes a body. Nothing is called any more after `finish`, `abort` or `on_lost`."""

    def on_blocked(self) -> None:
        """The peer does not take what was written; more may be written, but waits in memory."""

    def on_writable(self) -> None:
        """The peer has taken everything."""

    def on_lost(self) -> None:
        """The peer has gone."""


class Http1Stream:
    """A body on an HTTP/1.1 connection. `on_finished` writes what ends the body and goes on with the connection."""

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
        """End the body, unless the peer has gone."""
        self._on_finished(self._last)

    def abort(self) -> None:
        """Tear the socket down."""
        self._transport.abort()
