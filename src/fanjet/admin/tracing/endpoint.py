"""The endpoint `admin/trace` (10 I.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from fanjet.client.session_tap import Watching
from fanjet.net.http1.response import JSON
from fanjet.protocol.codes import ReplyError
from fanjet.telemetry.logging import get_logger

from ..event_stream import EventStream
from ..long_requests import work_on
from .channel_trace import trace_channel
from .connection_trace import trace_client, trace_user
from .remote_traces import FarTraces

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.net.http1 import Exchange
    from fanjet.node.node import Node

    from .connection_trace import Events

    Trace = Callable[[Node, str, Watching, Events], None]

log = get_logger(__name__)


class TraceRequest(msgspec.Struct):
    """Whom or what to trace. The empty user are the anonymous connections."""

    type: Literal["channel", "user", "client"]
    entity: str


_decode = msgspec.json.Decoder(TraceRequest).decode


class Tracing:
    """Begins traces. Each ends when its reader goes."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._watching = Watching()
        self._far = FarTraces(node, self._watching)

    def __call__(self, exchange: Exchange) -> None:
        """Answer with a stream of events."""
        try:
            wanted = _decode(exchange.request.body)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            _refuse(exchange, str(error))
            return
        if wanted.type == "user":
            self._trace_connections(exchange, wanted, trace_user)
        elif not wanted.entity:
            _refuse(exchange, "entity is empty")
        elif wanted.type == "client":
            self._trace_connections(exchange, wanted, trace_client)
        else:
            self._trace_channel(exchange, wanted.entity)

    def _trace_connections(self, exchange: Exchange, wanted: TraceRequest, trace: Trace) -> None:
        stream = self._stream(exchange)
        trace(self._node, wanted.entity, self._watching, stream)
        self._far.begin(wanted.type, wanted.entity, stream)

    def _trace_channel(self, exchange: Exchange, channel: str) -> None:
        try:
            self._node.resolve(channel)
        except ReplyError as failure:
            _refuse(exchange, failure.error.message)
            return
        work_on(exchange, self._listen(channel, self._stream(exchange)))

    async def _listen(self, channel: str, stream: EventStream) -> None:
        try:
            await trace_channel(self._node, channel, stream)
        except Exception as error:
            log.error("error tracing a channel", channel=channel, error=repr(error))
            stream.tell("failed", {"error": "the broker does not deliver this channel"})
            stream.finish()

    def _stream(self, exchange: Exchange) -> EventStream:
        return EventStream(exchange, ended=lambda: self._node.shutting_down)


def _refuse(exchange: Exchange, why: str) -> None:
    exchange.respond(400, msgspec.json.encode({"error": why}), JSON)
