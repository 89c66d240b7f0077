"""The unidirectional WebSocket transport (02 §9.2)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fanjet.client.unidirectional import UnidirectionalSession
from fanjet.net.websocket.frames import deflated_text_frame, text_frame
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import DISCONNECT_BAD_REQUEST
from fanjet.protocol.connect_request import connect_request_of_json
from fanjet.protocol.json_codec import UNIDIRECTIONAL_JSON
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
    """What makes frames; `deflate` is level and minimal size."""
    return text_frame if deflate is None else deflated_text_frame(*deflate)


@cache
def wire_format(deflate: tuple[int, int] | None) -> WireFormat:
    """The wire format where each push is a frame. Interned: equal connections share frames."""
    return WireFormat("uni-websocket-json", UNIDIRECTIONAL_JSON, frame_builder(deflate), transport="uni_websocket")


JOINED: Final = WireFormat("uni-websocket-json-joined", UNIDIRECTIONAL_JSON, line, transport="uni_websocket")
"""The wire format where a frame holds the pushes of one write, so that it is made when they are written."""


class UniWebSocketOptions(NamedTuple):
    """What was agreed on, shared by all connections that agreed on the same."""

    websocket: WebSocketOptions
    pushes_disconnect: bool
    closes_with_frame: bool
    """Whether the server says why it closes, and waits for the answer, or just ends the connection."""
    join: FrameBuilder | None
    """Makes the frames of several pushes, with `JOINED`."""


class UniWebSocketTransport(WebSocketTransport):
    """One WebSocket whose client connects with the handshake or with its first message, and then listens."""

    __slots__ = ("_closes_with_frame", "_request", "pushes_disconnect")

    name = "uni_websocket"

    def __init__(
        self,
        context: ClientContext,
        options: UniWebSocketOptions,
        request_info: RequestInfo,
        request: ConnectRequest | None,
    ) -> None:
        """`request`: what came with the handshake, if anything did."""
        super().__init__(context, options.websocket, request_info)
        self._request = request
        self._closes_with_frame = options.closes_with_frame
        self.pushes_disconnect = options.pushes_disconnect

    def _begin_session(self, context: ClientContext) -> None:
        session = self._session = UnidirectionalSession(context, self, self._opening)
        if self._request is not None:
            session.connect(self._request)

    def on_message(self, payload: bytes) -> None:
        """The first message is the connect request, unless that has come. All others mean nothing."""
        if self._request is not None or not isinstance(self._session, UnidirectionalSession):
            return
        try:
            self._request = connect_request_of_json(payload)
        except MalformedFrame:
            self.end(DISCONNECT_BAD_REQUEST)
        else:
            self._session.connect(self._request)

    def on_corrupt_message(self) -> None:
        """A message that does not inflate ends the connection, whatever it was for."""
        self.drop()

    def end(self, disconnect: Disconnect) -> None:
        """Close, with a close frame where they are wanted."""
        if self._closes_with_frame:
            super().end(disconnect)
        else:
            self.drop()


class JoiningUniWebSocketTransport(UniWebSocketTransport):
    """One whose frames hold several pushes, a line each (`uni_websocket.join_push_messages`)."""

    __slots__ = ("_join",)

    def __init__(
        self,
        context: ClientContext,
        options: UniWebSocketOptions,
        request_info: RequestInfo,
        request: ConnectRequest | None,
    ) -> None:
        """See the base; the terms say how to join."""
        assert options.join is not None
        super().__init__(context, options, request_info, request)
        self._join = options.join

    def write(self, data: bytes) -> None:
        """Write lines as one frame, which does not end with a newline."""
        super().write(self._join(data[:-1]))
