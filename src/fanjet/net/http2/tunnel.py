"""An HTTP/2 stream as an asyncio transport, for protocols that expect a socket."""

import asyncio
from typing import TYPE_CHECKING, Any

from h2.errors import ErrorCodes

if TYPE_CHECKING:
    from .stream import Http2Stream


class Tunnel(asyncio.Transport):
    """Both directions of a stream.

    A transport to the protocol, a receiver to the stream.
    """

    __slots__ = ("_buffered", "_closing", "_ended", "_lost", "_paused", "_protocol", "_stream")

    _protocol: asyncio.Protocol

    def __init__(self, stream: "Http2Stream") -> None:
        super().__init__()
        self._stream = stream
        self._closing = False
        self._lost = False
        self._paused = False
        self._buffered: list[bytes] = []  # received while reading is paused
        self._ended = False  # the end was received while reading is paused

    def begin(self, protocol: asyncio.Protocol) -> None:
        """Start the protocol."""
        self._protocol = protocol
        protocol.connection_made(self)
        if self._stream.blocked and not self._closing:
            protocol.pause_writing()

    # Called by the stream.

    def on_data(self, data: bytes) -> None:
        """Data was received."""
        if self._paused:
            self._buffered.append(data)
        elif not self._lost:
            self._protocol.data_received(data)

    def on_end(self) -> None:
        """The client has ended its direction."""
        if self._paused:
            self._ended = True
        elif not self._lost and not self._protocol.eof_received():
            self.close()

    def on_reset(self) -> None:
        """The client reset the stream, or the connection is lost."""
        self._closing = True
        for data in self._buffered:
            self._protocol.data_received(data)
        self._connection_lost(ConnectionResetError())

    def on_blocked(self) -> None:
        """The client does not read."""
        if not self._lost:
            self._protocol.pause_writing()

    def on_writable(self) -> None:
        """Everything was sent."""
        if self._stream.is_over:
            self._connection_lost(None)
        elif not self._lost:
            self._protocol.resume_writing()

    # Called by the protocol.

    def write(self, data: Any) -> None:
        """Send, or queue until the window allows."""
        self._stream.send_data(data)

    def write_eof(self) -> None:
        """End our direction."""
        self._stream.send_data(b"", end=True)

    def can_write_eof(self) -> bool:
        """Each direction ends separately."""
        return True

    def close(self) -> None:
        """End the stream once queued data is sent."""
        if not self._closing:
            self._closing = True
            self._stream.send_data(b"", end=True)
            if self._stream.is_over:  # else data is still queued
                asyncio.get_running_loop().call_soon(self._connection_lost, None)

    def abort(self) -> None:
        """Reset the stream."""
        self._closing = True
        self._stream.reset(ErrorCodes.CANCEL)
        asyncio.get_running_loop().call_soon(self._connection_lost, None)

    def is_closing(self) -> bool:
        """Whether the stream was closed, aborted or lost."""
        return self._closing

    def pause_reading(self) -> None:
        """Stop extending the client's window."""
        self._paused = True
        self._stream.pause()

    def resume_reading(self) -> None:
        """Deliver the buffered data and continue reading."""
        self._paused = False
        while self._buffered and not self._paused:
            self.on_data(self._buffered.pop(0))
        if self._paused:
            return
        self._stream.resume()
        if self._ended:
            self._ended = False
            self.on_end()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignored: flow control decides."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Information about the connection, except its socket.

        The socket is not this stream's to write to.
        """
        return default if name == "socket" else self._stream.transport.get_extra_info(name, default)

    def _connection_lost(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(error)
