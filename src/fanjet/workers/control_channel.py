"""Control messages between the supervisor, the workers and the engine.

They are length-prefixed frames on a stream socket.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import msgspec

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_LENGTH_BYTES: Final = 4


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: it accepts connections. From the engine: it has started."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """To a worker: shut down, as on SIGTERM.

    `replaced`: another worker has replaced it already.
    """

    replaced: bool = False


class Reload(msgspec.Struct, frozen=True, tag="reload"):
    """To a worker: read the configuration again, as on SIGHUP."""


class ReportMetrics(msgspec.Struct, frozen=True, tag="report"):
    """To a worker: send the metrics."""

    number: int


class MetricsReport(msgspec.Struct, frozen=True, tag="reported"):
    """From a worker: its metrics.

    `number`: of the request; 0: these are the last ones, sent without a request.
    """

    number: int
    metrics: bytes


class CollectMetrics(msgspec.Struct, frozen=True, tag="gather"):
    """From a worker: send the metrics of all processes, for a scrape."""

    number: int


class CollectedMetrics(msgspec.Struct, frozen=True, tag="gathered"):
    """To a worker: the metrics of each process."""

    number: int
    parts: list[bytes]


class Ping(msgspec.Struct, frozen=True, tag="ask"):
    """To a worker or the engine: reply with `Pong`."""


class Pong(msgspec.Struct, frozen=True, tag="alive"):
    """The reply to `Ping`."""


class ForwardedDatagram(msgspec.Struct, frozen=True, tag="stray"):
    """A datagram that one worker forwards to another.

    It belongs to one of the receiver's connections, and was sent from `address` to `where`.
    """

    where: str
    address: list[str | int]
    datagram: bytes


Message: TypeAlias = (
    Ready
    | Stop
    | Reload
    | ReportMetrics
    | MetricsReport
    | CollectMetrics
    | CollectedMetrics
    | Ping
    | Pong
    | ForwardedDatagram
)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Message)


def encode_frame(message: Message) -> bytes:
    """Encode a message with its length."""
    encoded = _encoder.encode(message)
    return len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded


class ControlChannel(asyncio.Protocol):
    """One end of a channel.

    `on_message` gets each message; `on_lost` is called when the other end has closed it.
    """

    def __init__(self, on_message: Callable[[Message], None], on_lost: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    async def open(self, connected: socket.socket) -> None:
        """Use a connected socket."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=connected)

    def send(self, message: Message) -> None:
        """Send a message, unless the other end has closed the channel."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_frame(message))

    def close(self) -> None:
        """Send the buffered messages, then close the channel."""
        if self._transport is not None:
            self._transport.close()

    # ------------------------------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        received = self._received
        received += data
        while len(received) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(received[:_LENGTH_BYTES], "big")
            if len(received) < end:
                return
            message = _decoder.decode(bytes(received[_LENGTH_BYTES:end]))
            del received[:end]
            self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        self._on_lost()
