"""The client side of HTTP streaming and SSE.

It sends the opening request, and pongs in separate requests.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast
from urllib.parse import quote

import msgspec

from .websocket import OP_CLOSE, OP_TEXT

_END: Final = b"\r\n"


def http_stream_request(host: str, port: int, hello: Sequence[object]) -> bytes:
    """Return the request whose response streams all messages.

    The first ones are the replies to `hello`.
    """
    return post(f"{host}:{port}", "/connection/http_stream", command_lines(hello))


def sse_request(host: str, port: int, hello: Sequence[object]) -> bytes:
    """Return the same request for SSE, as sent by a browser's `EventSource`."""
    commands = quote(command_lines(hello), safe="")
    return f"GET /connection/sse?cf_connect={commands} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()


def pong_request(connected: dict[str, Any]) -> bytes:
    """Return the emulation request with a pong.

    `connected` is the client's connect result.
    """
    body = {"session": connected["session"], "node": connected["node"], "data": "{}"}
    return post("localhost", "/emulation", msgspec.json.encode(body))


def command_lines(commands: Sequence[object]) -> bytes:
    """Encode commands, one per line."""
    return b"\n".join(msgspec.json.encode(command) for command in commands)


def post(host: str, path: str, body: bytes) -> bytes:
    """Return a request that posts JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class LineReader:
    """Splits a stream into lines, yielded as text frames."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every line that `data` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield OP_TEXT, line


class BodyReader:
    """Splits a chunked body into messages, yielded as text frames.

    A message is a line, or the data of an SSE event.
    """

    __slots__ = ("_body", "_chunks")

    def __init__(self) -> None:
        self._chunks = b""
        self._body = b""

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every message that `data` completes.

        The end of the body yields a close frame without code.
        """
        self._chunks += data
        while (chunk := self._next_chunk()) is not None:
            if not chunk:
                yield OP_CLOSE, b""
                return
            *lines, self._body = (self._body + chunk).split(b"\n")
            for line in lines:
                if message := line.removeprefix(b"data: ").strip():
                    yield OP_TEXT, message

    def _next_chunk(self) -> bytes | None:
        size, found, rest = self._chunks.partition(_END)
        if not found or len(rest) < int(size, 16) + len(_END):
            return None
        length = int(size, 16)
        self._chunks = rest[length + len(_END) :]
        return rest[:length]


class EmulationConnection(asyncio.Protocol):
    """A keep-alive connection for the pongs of all clients, opened on demand.

    Responses are ignored.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[object] | None = None
        self._waiting: list[bytes] = []

    def write(self, request: bytes) -> None:
        """Send a request, over a new connection if the server has closed the idle one."""
        if self._transport is not None:
            self._transport.write(request)
            return
        self._waiting.append(request)
        if self._opening is None or self._opening.done():
            loop = asyncio.get_running_loop()
            self._opening = loop.create_task(loop.create_connection(lambda: self, *self._address))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the waiting requests."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.writelines(self._waiting)
        self._waiting.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Open another connection with the next request."""
        self._transport = None

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()
