"""One WebSocket behind an ASGI server, which encodes and decodes frames.

WebSocket protocols work with frames here as they do on a socket; this transport translates, so that closing, pausing,
limits and deadlines are the same behind every server.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ..http1.exchange import respond_with_error
from ..http1.request import Request
from ..http1.response import NO_SNIFFING, TEXT
from ..http1.stream import unframed
from ..websocket.frames import ping_frame
from .handshake import HandshakeExchange
from .receive import MessageReceiver
from .responses import full_response
from .scope import ScopeTransport, is_tls
from .send import MessageSender
from .websocket_messages import PONG, frame_from_message, messages_from_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..asgi_host.types import Receive, Scope, Send
    from ..http1.head import Head
    from ..http1.stream import BodyFraming, StreamOwner
    from ..router import Route

_KIND: Final = "websocket.http.response"
_PING: Final = ping_frame()

GONE_SECONDS: Final = 5.0
"""How long the ASGI server may take to report a disconnect after it refused a message."""


class WebSocketCall(ScopeTransport):
    """The connection of a handshake's exchange, then the WebSocket's transport.

    The transport is that of the WebSocket protocol.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, head: Head, route: Route) -> None:
        super().__init__(scope)
        self._scope = scope
        self._supports_denial = _KIND in (scope.get("extensions") or {})
        self._route = route
        self._receiver = MessageReceiver(receive)
        self._sender = MessageSender(send, self)
        self._exchange: HandshakeExchange | None = HandshakeExchange(Request(head, b"", self, is_tls(scope)), self)
        self._protocol: asyncio.Protocol | None = None
        self._separator: bytes | None = None
        self._readable = asyncio.Event()
        self._readable.set()
        self._closing = False

    async def run(self) -> None:
        """Handle the handshake and the messages; return when the WebSocket is closed."""
        try:
            await self._serve()
            await self._sender.finish()
            await asyncio.sleep(0)  # uvicorn processes a refused handshake only in its next turn
        finally:
            self._sender.abort()
            self._disconnect()

    async def _serve(self) -> None:
        while (message := await self._receiver.next()) is not None:
            kind = message["type"]
            if kind == "websocket.receive":
                await self._readable.wait()
                if self._protocol is not None:
                    self._protocol.data_received(frame_from_message(message))
            elif kind == "websocket.connect":
                self._handshake()
            else:
                return

    def _handshake(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        try:
            self._route.endpoint(exchange)
        except Exception as failure:
            respond_with_error(exchange, failure)

    # Called by the ASGI server's messages.

    def on_blocked(self) -> None:
        """The client does not read."""
        if self._protocol is not None:
            self._protocol.pause_writing()

    def on_writable(self) -> None:
        """Everything written was sent."""
        if self._protocol is not None:
            self._protocol.resume_writing()

    def on_refused(self) -> None:
        """The client has disconnected.

        Its earlier messages are still delivered, paused or not; then the server reports it.
        """
        self._closing = True
        self._readable.set()
        asyncio.get_running_loop().call_later(GONE_SECONDS, self._receiver.stop)

    def _disconnect(self) -> None:
        self._closing = True
        exchange, self._exchange = self._exchange, None
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(None)
        elif exchange is not None:
            exchange.on_peer_lost(answerable=False)

    # Called by the exchange.

    def accept_socket(
        self,
        subprotocol: bytes | None,
        separator: bytes | None,
        make_protocol: Callable[[asyncio.Transport], asyncio.Protocol],
    ) -> None:
        """Accept, and start the protocol."""
        self._exchange = None
        self._separator = separator
        chosen = None if subprotocol is None else subprotocol.decode("latin-1")
        self._sender.put({"type": "websocket.accept", "subprotocol": chosen, "headers": []})
        protocol = self._protocol = make_protocol(self)
        protocol.connection_made(self)
        if self._sender.blocked:
            protocol.pause_writing()

    def send_response(
        self, status: int, body: bytes, content_type: bytes, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """Refuse the handshake. ASGI servers without the denial extension respond 403."""
        self._exchange = None
        if self._supports_denial:
            for message in full_response(_KIND, status, body, content_type, headers, scope=self._scope):
                self._sender.put(message)
        else:
            self._sender.put({"type": "websocket.close", "code": 1000})
        self.close()

    @property
    def body_framing(self) -> BodyFraming:
        """Bodies are not framed."""
        return unframed

    def begin_stream(
        self, status: int, content_type: bytes, headers: Sequence[tuple[bytes, bytes]], owner: StreamOwner
    ) -> WebSocketCall:
        """Refuse: a WebSocket request cannot be answered with a stream."""
        asyncio.get_running_loop().call_soon(owner.on_lost)
        self.send_response(400, b"Bad Request\n", TEXT, (NO_SNIFFING,))
        return self

    def upgrade(self, head: bytes, make_protocol: Callable[[asyncio.Transport], asyncio.Protocol]) -> None:
        """Refuse: there is no socket to hand over."""
        self.send_response(400, b"Bad Request\n", TEXT, (NO_SNIFFING,))

    def finish(self) -> None:
        """No stream was started."""

    # Called by the protocol.

    def write(self, data: Any) -> None:
        """Send the messages in these frames."""
        if data == _PING:  # the ASGI server pings by itself, and closes the connection without a pong
            asyncio.get_running_loop().call_soon(self._inject_pong)
            return
        for message in messages_from_frames(data, self._separator):
            self._sender.put(message)

    def close(self) -> None:
        """Close after what was written."""
        self._closing = True
        self._sender.close()
        self._receiver.stop()
        self._readable.set()

    def abort(self) -> None:
        """Close at once."""
        self._sender.abort()
        self.close()

    def is_closing(self) -> bool:
        """Whether the WebSocket is closing or closed."""
        return self._closing

    def can_write_eof(self) -> bool:
        """Half-closing is not supported."""
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Ignored: the ASGI server decides."""

    def pause_reading(self) -> None:
        """Stop receiving messages."""
        if not self._closing:
            self._readable.clear()

    def resume_reading(self) -> None:
        """Continue receiving messages."""
        self._readable.set()

    def _inject_pong(self) -> None:
        if self._protocol is not None:
            self._protocol.data_received(PONG)
