"""One WebSocket of the hosted application."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from ..extended_connect import TunnelExchange
from ..http1.response import TEXT, reason
from ..websocket.frames import binary_frame, text_frame
from ..websocket.handshake import accept_head, accept_headers
from ..websocket.message_types import TypedWebSocket
from ..websocket.reader import ReadLimits
from .types import ProtocolMisuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..http1.exchange import Exchange
    from ..timing_wheel import TimingWheel
    from .types import Message

MAX_MESSAGE: Final = 16 << 20
MAX_WAITING: Final = 32
"""Messages buffered for the application, before the client is paused."""
GONE: Final = 1006
NO_STATUS: Final = 1005
SERVICE_RESTART: Final = 1012
INTERNAL_ERROR: Final = 1011


class WebSocketCycle:
    """`receive` and `send` of one WebSocket."""

    def __init__(self, exchange: Exchange, wheel: TimingWheel) -> None:
        self._exchange = exchange
        exchange.on_closed = self.on_disconnected
        self._wheel = wheel
        self._waiting: deque[Message] = deque([{"type": "websocket.connect"}])
        self._arrival = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._socket: _Socket | None = None
        self._close_code: int | None = None
        self.over = False

    # Called by the application.

    async def receive(self) -> Message:
        """The next message; after the end always a disconnect."""
        while not self._waiting and self._close_code is None:
            self._arrival.clear()
            await self._arrival.wait()
        if not self._waiting:
            return {"type": "websocket.disconnect", "code": self._close_code, "reason": ""}
        if self._socket is not None and len(self._waiting) == MAX_WAITING:
            self._socket.resume_reading()
        return self._waiting.popleft()

    async def send(self, message: Message) -> None:
        """Accept or refuse the handshake, send a message, or close.

        Ignored after a disconnect. Raises `ProtocolMisuse`.
        """
        kind = message["type"]
        if self._close_code is not None:
            return
        if kind == "websocket.accept" and self._socket is None and not self.over:
            self._accept(message.get("subprotocol"), _pairs(message.get("headers") or ()))
        elif kind == "websocket.close" and not self.over:
            self._close(message.get("code") or 1000, message.get("reason") or "")
        elif kind == "websocket.send" and self._socket is not None and not self.over:
            text, data = message.get("text"), message.get("bytes")
            self._socket.write(text_frame(text.encode()) if text is not None else binary_frame(data or b""))
            await self._writable.wait()
        else:
            raise ProtocolMisuse(f"{kind} is not expected at this point of the WebSocket")

    def fail(self) -> None:
        """The application has failed, or returned without closing."""
        if self._close_code is None and not self.over:
            self._close(INTERNAL_ERROR, "", refusal=500)

    def shut_down(self) -> None:
        """Close at server shutdown."""
        if self._socket is not None and not self.over:
            self._close(SERVICE_RESTART, "")
            self.on_disconnected(SERVICE_RESTART)

    def _accept(self, subprotocol: str | None, headers: Sequence[tuple[bytes, bytes]]) -> None:
        chosen = None if subprotocol is None else subprotocol.encode("latin-1")
        socket = _Socket(self, self._wheel)
        exchange = self._exchange
        exchange.on_closed = None
        if isinstance(exchange, TunnelExchange):
            exchange.open_tunnel((*headers, *accept_headers(subprotocol=chosen)), lambda _: socket)
        else:
            head = accept_head(exchange.request, subprotocol=chosen)
            lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
            exchange.upgrade(head.removesuffix(b"\r\n") + lines + b"\r\n", lambda _: socket)
        if exchange.closed or not socket.began:
            self.on_disconnected(GONE)
        else:
            self._socket = socket

    def _close(self, code: int, text: str, *, refusal: int = 403) -> None:
        self.over = True
        if self._socket is None:
            self._exchange.respond(refusal, reason(refusal) + b"\n", TEXT)
        else:
            self._socket.close(code, text)

    # Called by the connection.

    def on_message(self, message: Message) -> None:
        """A message was received."""
        self._waiting.append(message)
        if len(self._waiting) == MAX_WAITING and self._socket is not None:
            self._socket.pause_reading()
        self._arrival.set()

    def on_blocked(self) -> None:
        """The client does not read."""
        self._writable.clear()

    def on_writable(self) -> None:
        """Everything written was sent."""
        self._writable.set()

    def on_disconnected(self, code: int = GONE) -> None:
        """The connection is closed."""
        if self._close_code is None:
            self._close_code = code
        self._arrival.set()
        self._writable.set()


class _Socket(TypedWebSocket):
    """The connection after the handshake."""

    __slots__ = ("_cycle", "began")

    def __init__(self, cycle: WebSocketCycle, wheel: TimingWheel) -> None:
        super().__init__(wheel, ReadLimits(MAX_MESSAGE, MAX_MESSAGE))
        self._cycle = cycle
        self.began = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is complete."""
        self.began = True
        super().connection_made(transport)

    def on_text(self, text: str) -> None:
        """A text message was received."""
        self._cycle.on_message({"type": "websocket.receive", "text": text})

    def on_binary(self, data: bytes) -> None:
        """A binary message was received."""
        self._cycle.on_message({"type": "websocket.receive", "bytes": data})

    def on_blocked(self) -> None:
        """The kernel's send buffer is full."""
        self._cycle.on_blocked()

    def on_writable(self) -> None:
        """Everything written was sent."""
        self._cycle.on_writable()

    def on_connection_closed(self) -> None:
        """The connection is closed."""
        self._cycle.on_disconnected(self.close_code_of_peer)


def _pairs(headers: Iterable[Iterable[bytes]]) -> list[tuple[bytes, bytes]]:
    return [(bytes(name), bytes(value)) for name, value in headers]
