"""What the supervisor and those it has started say to each other, and workers among themselves: messages over a
stream, each behind its length."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import msgspec

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_LENGTH_BYTES: Final = 4


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: connections are accepted. From the engine: it has begun."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """To a worker: shut down, as on SIGTERM. `replaced`: another one has taken its place already."""

    replaced: bool = False


class Reload(msgspec.Struct, frozen=True, tag="reload"):
    """To a worker: read the configuration again, as on SIGHUP."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """To a worker: tell your metrics."""

    number: int


class Reported(msgspec.Struct, frozen=True, tag="reported"):
    """From a worker: what its metrics have come to. `number` is that of the question; 0: these are the last, and nobody
    has asked."""

    number: int
    metrics: bytes


class Gather(msgspec.Struct, frozen=True, tag="gather"):
    """From a worker: somebody asks for the metrics of all."""

    number: int


class Gathered(msgspec.Struct, frozen=True, tag="gathered"):
    """To a worker: the metrics of each process."""

    number: int
    parts: list[bytes]


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """To a worker, or the engine: give a sign of life."""


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """This is one."""


class Stray(msgspec.Struct, frozen=True, tag="stray"):
    """From one worker to another: a datagram for a connection of yours, that was sent from `address` to `where`."""

    where: str
    address: list[str | int]
    datagram: bytes


Message: TypeAlias = Ready | Stop | Reload | Report | Reported | Gather | Gathered | Ask | Alive | Stray

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Message)


def framed(message: Message) -> bytes:
    """The bytes of a message."""
    encoded = _encoder.encode(message)
    return len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded


class Line(asyncio.Protocol):
    """One end. `on_message` gets each message, `on_lost` is called when the other end is gone."""

    def __init__(self, on_message: Callable[[Message], None], on_lost: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    async def open(self, connected: socket.socket) -> None:
        """Take over a connected socket."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=connected)

    def send(self, message: Message) -> None:
        """Send, unless the other end is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(framed(message))

    def close(self) -> None:
        """Send what is under way, then hang up."""
        if self._transport is not None:
            self._transport.close()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand on the messages that have come whole."""
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
        """The other end has hung up, or is no more."""
        self._transport = None
        self._on_lost()
