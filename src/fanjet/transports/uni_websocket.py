"""The unidirectional WebSocket transport (02 §9.2)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fanjet.client.unidirectional import UnidirectionalSession
from fanjet.net.websocket.frames import deflated_text_frame, text_frame
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import DISCONNECT_BAD_REQUEST
from fanjet.protocol.connect_request import decode_json_connect_request
from fanjet.protocol.json_encoding.codec import UNIDIRECTIONAL_JSON
from fanjet.protocol.wire import WireFormat

from .response_stream import line
from .websocket import WebSocketTransport

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.client.request_info import RequestInfo
    from fanjet.net.websocket.frames import FrameBuilder
    from fanjet.protocol.codes import Disconnect
    from fanjet.protocol.messages import ConnectRequest

    from .websocket_options import WebSocketOptions


def frame_builder(deflate: tuple[int, int] | None) -> FrameBuilder:
    """The frame builder; `deflate` is compression level and minimal size."""
    return text_frame if deflate is None else deflated_text_frame(*deflate)


@cache
def wire_format(deflate: tuple[int, int] | None) -> WireFormat:
    """The interned wire format with one frame per push.

    Equal connections share frames.
    """
    return WireFormat("uni-websocket-json", UNIDIRECTIONAL_JSON, frame_builder(deflate), transport="uni_websocket")


JOINED: Final = WireFormat("uni-websocket-json-joined", UNIDIRECTIONAL_JSON, line, transport="uni_websocket")
"""The wire format with one frame per write of several pushes; the frame is built when they are written."""


class UniWebSocketOptions(NamedTuple):
    """Negotiated options, shared by all connections with the same ones."""

    websocket: WebSocketOptions
    pushes_disconnect: bool
    closes_with_frame: bool
    """Whether the server closes with a close frame and waits for the client's, or just closes the socket."""
    join: FrameBuilder | None
    """Builds frames of several pushes, with `JOINED`."""


class UniWebSocketTransport(WebSocketTransport):
    """One WebSocket.

    The client connects with the handshake or its first message; the server then only sends.
    """

    __slots__ = ("_closes_with_frame", "_request", "pushes_disconnect")

    name = "uni_websocket"

    def __init__(
        self,
        context: ClientContext,
        options: UniWebSocketOptions,
        request_info: RequestInfo,
        request: ConnectRequest | None,
    ) -> None:
        """`request`: the connect request of the handshake, if any."""
        super().__init__(context, options.websocket, request_info)
        self._request = request
        self._closes_with_frame = options.closes_with_frame
        self.pushes_disconnect = options.pushes_disconnect

    def _begin_session(self, context: ClientContext) -> None:
        session = self._session = UnidirectionalSession(context, self, self._opening)
        if self._request is not None:
            session.connect(self._request)

    def on_message(self, payload: bytes) -> None:
        """Take the first message as the connect request, unless the handshake had one.

        Later messages are ignored.
        """
        if self._request is not None or not isinstance(self._session, UnidirectionalSession):
            return
        try:
            self._request = decode_json_connect_request(payload)
        except MalformedFrame:
            self.end(DISCONNECT_BAD_REQUEST)
        else:
            self._session.connect(self._request)

    def on_corrupt_message(self) -> None:
        """A message that cannot be decompressed closes the connection."""
        self.drop()

    def end(self, disconnect: Disconnect) -> None:
        """Close, with a close frame if configured."""
        if self._closes_with_frame:
            super().end(disconnect)
        else:
            self.drop()


class JoiningUniWebSocketTransport(UniWebSocketTransport):
    """A transport whose frames hold several pushes, one per line.

    For `uni_websocket.join_push_messages`.
    """

    __slots__ = ("_join",)

    def __init__(
        self,
        context: ClientContext,
        options: UniWebSocketOptions,
        request_info: RequestInfo,
        request: ConnectRequest | None,
    ) -> None:
        """See the base class; `options.join` must be set."""
        assert options.join is not None
        super().__init__(context, options, request_info, request)
        self._join = options.join

    def write(self, data: bytes) -> None:
        """Write lines as one frame without a trailing newline."""
        super().write(self._join(data[:-1]))
