"""The bidirectional WebSocket transport (02 §6)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fanjet.client.session import Session
from fanjet.net.websocket.connection import WebSocketConnection
from fanjet.net.websocket.frames import binary_frame, deflated_binary_frame, deflated_text_frame, text_frame
from fanjet.protocol.codes import DISCONNECT_BAD_REQUEST, DISCONNECT_CONNECTION_CLOSED, DISCONNECT_SHUTDOWN
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.protobuf_encoding.codec import PROTOBUF
from fanjet.protocol.wire import WireFormat

from .native_pings import NativePings

if TYPE_CHECKING:
    import asyncio

    from fanjet.client.context import ClientContext
    from fanjet.client.request_info import RequestInfo
    from fanjet.protocol.codes import Disconnect

    from .websocket_options import WebSocketOptions

ABANDONED_SECONDS = 5.0
"""How long a client may stay connected after a failed connect command (01 §6.1)."""


@cache
def wire_format(protobuf: bool, deflate: tuple[int, int] | None) -> WireFormat:
    """The interned wire format of a WebSocket; `deflate` is level and minimal size.

    Equal connections share frames.
    """
    if protobuf:
        frame = binary_frame if deflate is None else deflated_binary_frame(*deflate)
        return WireFormat("websocket-protobuf", PROTOBUF, frame, transport="websocket")
    frame = text_frame if deflate is None else deflated_text_frame(*deflate)
    return WireFormat("websocket-json", JSON, frame, transport="websocket")


class WebSocketTransport(WebSocketConnection):
    """One WebSocket and its session, which have the same lifetime."""

    __slots__ = ("_context", "_native_pings", "_opening", "_session", "app_pings", "wire", "write_timeout")

    name = "websocket"
    emulated = False
    pushes_disconnect = False

    def __init__(self, context: ClientContext, options: WebSocketOptions, request_info: RequestInfo) -> None:
        super().__init__(context.wheel, options.limits, inflate=options.inflate)
        self.wire = options.wire
        self.write_timeout = options.write_timeout
        self.app_pings = not options.native_pings
        self._native_pings: NativePings | None = None
        self._session: Session | None = None
        self._context = context
        self._opening = request_info

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the session, or close at once during shutdown."""
        super().connection_made(transport)
        context = self._context
        context.connection_opened()
        if context.node.shutting_down:
            self.end(DISCONNECT_SHUTDOWN)
            return
        if not self.app_pings:
            settings = context.settings
            self._native_pings = NativePings(self, context.wheel, settings.ping_interval, settings.pong_timeout)
        self._begin_session(context)

    def _begin_session(self, context: ClientContext) -> None:
        self._session = Session(context, self, self._opening)

    # Called by the session.

    def end(self, disconnect: Disconnect) -> None:
        """Close with a close frame; code 3000 is never sent."""
        if disconnect.code == DISCONNECT_CONNECTION_CLOSED.code:
            self.drop()
        else:
            self._context.metrics.close_frame(self.name, disconnect.code)
            self.close(disconnect.code, disconnect.reason)

    def abandon(self) -> None:
        """Discard input and close the connection after a while.

        Earlier if the client closes it first.
        """
        self.drop(ABANDONED_SECONDS)

    # Called by the connection.

    def on_message(self, payload: bytes) -> None:
        """Pass a frame of commands to the session."""
        if self._session is not None:
            self._session.on_bytes(payload)

    def on_blocked(self) -> None:
        """The kernel's send buffer is full."""
        if self._session is not None:
            self._session.on_blocked()

    def on_writable(self) -> None:
        """Everything written was sent."""
        if self._session is not None:
            self._session.on_writable()

    def on_before_close(self) -> None:
        """A close frame follows: flush the replies to commands before it."""
        if self._session is not None:
            self._session.flush()

    def on_corrupt_message(self) -> None:
        """A message that cannot be decompressed is a malformed frame."""
        if self._session is not None:
            self._session.disconnect(DISCONNECT_BAD_REQUEST)

    def on_pong_frame(self, payload: bytes) -> None:
        """Used only by connections with native pings."""
        if self._native_pings is not None:
            self._native_pings.on_pong()

    def on_connection_closed(self) -> None:
        """Drop session and pings, so that no reference keeps them alive."""
        self._context.connection_ended()
        native_pings, self._native_pings = self._native_pings, None
        if native_pings is not None:
            native_pings.stop()
        session, self._session = self._session, None
        if session is not None:
            session.on_lost()
