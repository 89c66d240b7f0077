"""A stream in the shape of an asyncio transport, for protocols that usually own a socket."""

import asyncio
from typing import TYPE_CHECKING, Any

from h2.errors import ErrorCodes

if TYPE_CHECKING:
    from .stream import Http2Stream


class Tunnel(asyncio.Transport):
    """Both directions of a stream, as a transport for the protocol and as the receiver for the stream."""

    __slots__ = ("_buffered", "_closing", "_ended", "_lost", "_paused", "_protocol", "_stream")

    _protocol: asyncio.Protocol

    def __init__(self, stream: "Http2Stream") -> None:
        super().__init__()
        self._stream = stream
        self._closing = False
        self._lost = False
        self._paused = False
        self._buffered: list[bytes] = []  # came although reading is paused
        self._ended = False  # the client's end came although reading is paused

    def begin(self, protocol: asyncio.Protocol) -> None:
        """Let the protocol begin."""
        self._protocol = protocol
        protocol.connection_made(self)
        if self._stream.blocked and not self._closing:
            protocol.pause_writing()

    # What the stream calls.

    def on_data(self, data: bytes) -> None:
        """Something came."""
        if self._paused:
            self._buffered.append(data)
        elif not self._lost:
            self._protocol.data_received(data)

    def on_end(self) -> None:
        """The client sends no more."""
        if self._paused:
            self._ended = True
        elif not self._lost and not self._protocol.eof_received():
            self.close()

    def on_reset(self) -> None:
        """The client gave the stream up, or the connection is lost."""
        self._closing = True
        for data in self._buffered:
            self._protocol.data_received(data)
        self._connection_lost(ConnectionResetError())

    def on_blocked(self) -> None:
        """The client does not take what was sent."""
        if not self._lost:
            self._protocol.pause_writing()

    def on_writable(self) -> None:
        """The client took everything."""
        if self._stream.is_over:
            self._connection_lost(None)
        elif not self._lost:
            self._protocol.resume_writing()

    # What the protocol calls.

    def write(self, data: Any) -> None:
        """Send, or queue until the client takes it."""
        self._stream.send_data(data)

    def write_eof(self) -> None:
        """End our direction."""
        self._stream.send_data(b"", end=True)

    def can_write_eof(self) -> bool:
        """Each direction ends by itself."""
        return True

    def close(self) -> None:
        """End the stream once the client took what was sent."""
        if not self._closing:
            self._closing = True
            self._stream.send_data(b"", end=True)
            if self._stream.is_over:  # else the client has yet to take something
                asyncio.get_running_loop().call_soon(self._connection_lost, None)

    def abort(self) -> None:
        """Reset the stream."""
        self._closing = True
        self._stream.reset(ErrorCodes.CANCEL)
        asyncio.get_running_loop().call_soon(self._connection_lost, None)

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called, or the stream is lost."""
        return self._closing

    def pause_reading(self) -> None:
        """Let the client send no more than its window."""
        self._paused = True
        self._stream.pause()

    def resume_reading(self) -> None:
        """Deliver what came meanwhile."""
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
        """The client's window decides."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection; its socket is not this stream's to write to."""
        return default if name == "socket" else self._stream.transport.get_extra_info(name, default)

    def _connection_lost(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(error)
