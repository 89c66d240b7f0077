"""One HTTP request of the hosted application."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ..http1.body_stream import StreamedRequest
from .types import ProtocolMisuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..http1.exchange import Exchange
    from ..http1.stream import ResponseStream
    from .types import Message

MAX_WAITING: Final = 1 << 16
"""Bytes of a request body buffered for the application, before the client is paused."""

_OURS: Final = frozenset({b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"date"})
"""Response headers set by our server, which frames the body."""


class HttpCycle:
    """`receive` and `send` of one request; owns the response body."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        exchange.on_closed = self.on_lost
        request = exchange.request
        self._body: list[bytes] = []
        self._size = 0
        self._paused = False
        self._body_stream = request.body_stream if isinstance(request, StreamedRequest) else None
        self._received = self._body_stream is None
        self._end_delivered = False
        self._started = False
        if self._body_stream is None:
            self._body.append(request.body)
        self._arrival = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._client_gone = False
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._stream: ResponseStream | None = None
        self.finished = False

    # Called by the application.

    async def receive(self) -> Message:
        """The next chunk of the body; after its end, wait for the client to disconnect."""
        if not self._started and self._body_stream is not None:
            self._started = True
            self._body_stream.start(self._on_chunk)
        while not (self._body or self._client_gone or self.finished or (self._received and not self._end_delivered)):
            self._arrival.clear()
            await self._arrival.wait()
        if self._body or (self._received and not self._end_delivered and not self._client_gone):
            return self._next_chunk()
        return {"type": "http.disconnect"}

    def _next_chunk(self) -> Message:
        chunk, self._body, self._size = b"".join(self._body), [], 0
        if self._paused and self._body_stream is not None:
            self._paused = False
            self._body_stream.resume()
        self._end_delivered = self._received and not self._body
        return {"type": "http.request", "body": chunk, "more_body": not self._end_delivered}

    async def send(self, message: Message) -> None:
        """Send a part of the response; waits while the client does not read.

        Ignored after a disconnect. Raises `ProtocolMisuse`.
        """
        kind = message["type"]
        if kind == "http.response.start" and self._head is None:
            self._head = message["status"], _headers(message.get("headers", ()))
        elif kind == "http.response.body" and self._head is not None and not self.finished:
            self._write(message.get("body", b""), more=message.get("more_body", False))
            if not self._client_gone:
                await self._writable.wait()
        else:
            raise ProtocolMisuse(f"{kind} is not expected at this point of the response")

    @property
    def answered(self) -> bool:
        """Whether the response has started."""
        return self._stream is not None or self.finished

    def abort(self) -> None:
        """Abort the incomplete response."""
        self.finished = True
        if self._stream is not None:
            self._stream.abort()
        else:
            self._exchange.abort()

    def _write(self, body: bytes, *, more: bool) -> None:
        if self._client_gone:
            self.finished = not more
            return
        assert self._head is not None
        status, headers = self._head
        if self._stream is None and not more:
            self.finished = True
            self._exchange.respond(status, body, headers=headers)
            return
        if self._stream is None:
            framing = self._exchange.body_framing
            self._stream = self._exchange.stream(status, self, headers=headers)
            self._framing = framing
        if self._stream is None:  # the exchange is over
            self._client_gone = True
            return
        if body and self._exchange.request.method != "HEAD":
            self._stream.write(self._framing(body))
        if not more:
            self.finished = True
            self._stream.finish()

    # Called by the connection.

    def _on_chunk(self, chunk: bytes, last: bool) -> None:
        if chunk:
            self._body.append(chunk)
            self._size += len(chunk)
        self._received = last
        if self._size > MAX_WAITING and not last and self._body_stream is not None:
            self._paused = True
            self._body_stream.pause()
        self._arrival.set()

    def on_blocked(self) -> None:
        """The client does not read."""
        self._writable.clear()

    def on_writable(self) -> None:
        """Everything written was sent."""
        self._writable.set()

    def on_lost(self) -> None:
        """The client has disconnected."""
        self._client_gone = True
        self._arrival.set()
        self._writable.set()


def _headers(headers: Iterable[Iterable[bytes]]) -> list[tuple[bytes, bytes]]:
    pairs = [(bytes(name), bytes(value)) for name, value in headers]
    return [(name, value) for name, value in pairs if name.lower() not in _OURS]
