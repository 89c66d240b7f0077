"""A WebSocket by hand, on a plain TCP connection, so that everything can be wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.server import Server

PATIENCE = 8.0
MASK = b"\x11\x22\x33\x44"

HANDSHAKE = (
    "GET /connection/websocket{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Ending(NamedTuple):
    """How the server ended a connection. `code` is None when it did so without a close frame."""

    code: int | None
    messages: list[bytes]


class RawSocket:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send as far as the server still listens."""
        with contextlib.suppress(ConnectionError, RuntimeError):  # the latter after our own end of stream
            self.writer.write(data)
            await self.writer.drain()

    async def shake_hands(self, query: str = "") -> None:
        await self.send(HANDSHAKE.format(query=query).encode())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        assert head.startswith(b"HTTP/1.1 101 "), head

    async def rest(self) -> bytes:
        """Everything until the server ends the connection."""
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while data := await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                received += data
        return bytes(received)

    async def ending(self) -> Ending:
        """Read until the server closes, answer its close frame, and wait for the end."""
        code, messages, received = None, [], b""
        with contextlib.suppress(ConnectionError):
            while data := await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                received += data
                frames, received = frames_of(received)
                for opcode, payload in frames:
                    if opcode is Opcode.CLOSE:
                        code = int.from_bytes(payload[:2], "big")
                        await self.send(frame(payload[:2], opcode=0x8))
                    else:
                        messages.append(payload)
        return Ending(code, messages)

    def stop_reading(self) -> None:
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def read_again(self) -> None:
        """Read on, with a window that takes little time for what has piled up."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Tear the connection down: the server sees a reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def tcp(server: Server, *, window: int = 0) -> AsyncIterator[RawSocket]:
    """A connection on which nothing has been sent yet. `window`: how many bytes the kernel takes for us unread."""
    plain = socket.socket()
    plain.setblocking(False)
    if window:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=plain)
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def websocket(server: Server, query: str = "", *, window: int = 0) -> AsyncIterator[RawSocket]:
    """A connection after the handshake."""
    async with tcp(server, window=window) as raw:
        await raw.shake_hands(query)
        yield raw


def frame(payload: bytes, *, opcode: int = 0x1, fin: bool = True, rsv: int = 0, length: int | None = None) -> bytes:
    """A masked frame, whose header may name another length than the payload has."""
    size = len(payload) if length is None else length
    first = bytes([fin << 7 | rsv << 4 | opcode])
    if size < 126:
        head = first + bytes([0x80 | size])
    elif size < 65536:
        head = first + b"\xfe" + size.to_bytes(2, "big")
    else:
        head = first + b"\xff" + size.to_bytes(8, "big")
    key = int.from_bytes((MASK * (len(payload) // 4 + 1))[: len(payload)], "big")
    return head + MASK + (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")


def frames_of(data: bytes) -> tuple[list[tuple[Opcode, bytes]], bytes]:
    """The whole frames of a server's bytes, and what is left."""
    found, start = [], 0
    while (size := _size(data[start:])) is not None:
        stream = StreamReader()
        stream.feed_data(data[start : start + size])
        parsing = Frame.parse(stream.read_exact, mask=False)
        try:
            next(parsing)
        except StopIteration as parsed:
            found.append((parsed.value.opcode, bytes(parsed.value.data)))
        start += size
    return found, data[start:]


def _size(data: bytes) -> int | None:
    """Bytes of the first frame, None while it is not complete."""
    if len(data) < 2:
        return None
    length, head = data[1] & 0x7F, 2
    if length >= 126:
        head = 4 if length == 126 else 10
        if len(data) < head:
            return None
        length = int.from_bytes(data[2:head], "big")
    return head + length if len(data) >= head + length else None


def noise(size: int) -> bytes:
    return os.urandom(size)
