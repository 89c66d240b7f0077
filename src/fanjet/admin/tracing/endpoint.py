"""The endpoint `admin/trace` (10 I.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from fanjet.client.session_tap import SessionTaps
from fanjet.net.http1.response import JSON
from fanjet.protocol.codes import ReplyError
from fanjet.telemetry.logging import get_logger

from ..event_stream import EventStream
from ..long_requests import run_handler
from .channel_trace import trace_channel
from .connection_trace import trace_client, trace_user
from .remote_traces import RemoteTraces

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.events.unknown_replies import UnknownReplies
    from fanjet.net.http1 import Exchange
    from fanjet.node.node import Node

    from .connection_trace import EventSink

    Trace = Callable[[Node, str, SessionTaps, EventSink], None]

log = get_logger(__name__)


class TraceRequest(msgspec.Struct):
    """The channel, user or client to trace.

    The empty user stands for anonymous connections.
    """

    type: Literal["channel", "user", "client"]
    entity: str


_decode = msgspec.json.Decoder(TraceRequest).decode


class TraceEndpoint:
    """Starts traces. A trace ends when its reader disconnects."""

    def __init__(self, node: Node, unknown_replies: UnknownReplies) -> None:
        self._node = node
        self._taps = SessionTaps()
        unknown_replies.observers.append(self._taps.on_unknown_reply)
        self._remote = RemoteTraces(node, self._taps)

    def __call__(self, exchange: Exchange) -> None:
        """Respond with a stream of events."""
        try:
            request = _decode(exchange.request.body)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            _respond_error(exchange, str(error))
            return
        if request.type == "user":
            self._trace_connections(exchange, request, trace_user)
        elif not request.entity:
            _respond_error(exchange, "entity is empty")
        elif request.type == "client":
            self._trace_connections(exchange, request, trace_client)
        else:
            self._trace_channel(exchange, request.entity)

    def _trace_connections(self, exchange: Exchange, request: TraceRequest, trace: Trace) -> None:
        stream = self._stream(exchange)
        trace(self._node, request.entity, self._taps, stream)
        self._remote.start(request.type, request.entity, stream)

    def _trace_channel(self, exchange: Exchange, channel: str) -> None:
        try:
            self._node.resolve(channel)
        except ReplyError as failure:
            _respond_error(exchange, failure.error.message)
            return
        run_handler(exchange, self._trace_channel_events(channel, self._stream(exchange)))

    async def _trace_channel_events(self, channel: str, stream: EventStream) -> None:
        try:
            await trace_channel(self._node, channel, stream)
        except Exception as error:
            log.error("error tracing a channel", channel=channel, error=repr(error))
            stream.emit("failed", {"error": "the broker does not deliver this channel"})
            stream.finish()

    def _stream(self, exchange: Exchange) -> EventStream:
        return EventStream(exchange, is_shutting_down=lambda: self._node.shutting_down)


def _respond_error(exchange: Exchange, reason: str) -> None:
    exchange.respond(400, msgspec.json.encode({"error": reason}), JSON)
