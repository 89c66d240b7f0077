"""Traces of users and clients on other nodes.

They are requested over the control plane (10 I.2).

A request is a lease of a few seconds that the requesting node renews; the other nodes send it their events in batches.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..event_stream import TICK_SECONDS, event_line
from .connection_trace import trace_client, trace_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.client.session_tap import SessionTaps
    from fanjet.node.node import Node

    from ..event_stream import EventStream

TRACE_REQUEST: Final = "fanjet_trace"
EVENTS: Final = "fanjet_trace_events"
END: Final = "fanjet_trace_end"

SURVEY_TIMEOUT_SECONDS: Final = 3.0
TICKS_PER_RENEWAL: Final = 10
LEASE_SECONDS: Final = 20.0
BATCH_SECONDS: Final = 0.1
MAX_BATCH_BYTES: Final = 256 * 1024
"""Maximum size of the events that wait to be sent; further events are dropped."""


class RemoteTraceRequest(msgspec.Struct, frozen=True):
    """A node's request to trace, and its ID."""

    id: str
    node: str
    type: str
    entity: str


_decode = msgspec.json.Decoder(RemoteTraceRequest).decode


class RemoteTraces:
    """Requests traces from other nodes and serves their requests."""

    def __init__(self, node: Node, taps: SessionTaps) -> None:
        self._node = node
        self._taps = taps
        self._streams: dict[str, EventStream] = {}
        self._sinks: dict[str, _RemoteSink] = {}
        self._running: set[asyncio.Task[None]] = set()
        node.extension_surveys.on_survey(TRACE_REQUEST, self._on_request)
        node.extension_surveys.on_notification(EVENTS, self._on_events)
        node.extension_surveys.on_notification(END, lambda _, data: self._on_end_notice(data.decode()))

    # Traces that this node requests.

    def start(self, kind: str, entity: str, stream: EventStream) -> None:
        """Write the events of other nodes to the stream until it ends.

        Nodes that do not answer are named once.
        """
        if self._node.cluster is None or not stream.open:
            return
        request = RemoteTraceRequest(uuid.uuid4().hex, self._node.uid, kind, entity)
        self._streams[request.id] = stream
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1
            if ticks % TICKS_PER_RENEWAL == 0:
                self._run(self._request(request, stream, report_unanswered=False))

        def end() -> None:
            del self._streams[request.id]
            self._run(self._node.notify(END, request.id.encode()))

        stream.on_tick(tick)
        stream.on_end(end)
        self._run(self._request(request, stream, report_unanswered=True))

    async def _request(self, request: RemoteTraceRequest, stream: EventStream, *, report_unanswered: bool) -> None:
        answers = await self._node.survey(TRACE_REQUEST, msgspec.json.encode(request), within=SURVEY_TIMEOUT_SECONDS)
        if report_unanswered and answers.missing:
            stream.emit("silent", {"nodes": sorted(one.name for one in answers.missing)})

    def _on_events(self, _sender: str, data: bytes) -> None:
        request_id, _, lines = data.partition(b"\n")
        stream = self._streams.get(request_id.decode())
        if stream is not None:
            for line in lines.removesuffix(b"\n").split(b"\n"):
                stream.write_line(line + b"\n")

    # Traces that other nodes request.

    async def _on_request(self, data: bytes) -> bytes:
        request = _decode(data)
        if request.node != self._node.uid:
            events = self._sinks.get(request.id)
            if events is None:
                self._start_local(request)
            else:
                events.renew()
        return b""

    def _start_local(self, request: RemoteTraceRequest) -> None:
        events = _RemoteSink(self._node, request, lambda data: self._run(self._send(request, data)))
        self._sinks[request.id] = events
        events.on_end(lambda: self._sinks.__delitem__(request.id))
        trace = trace_client if request.type == "client" else trace_user
        trace(self._node, request.entity, self._taps, events)

    async def _send(self, request: RemoteTraceRequest, lines: bytes) -> None:
        await self._node.notify(EVENTS, request.id.encode() + b"\n" + lines, to=request.node)

    def _on_end_notice(self, request_id: str) -> None:
        events = self._sinks.get(request_id)
        if events is not None:
            events.finish()

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


class _RemoteSink:
    """Sends events to the requesting node in batches until its lease expires."""

    def __init__(self, node: Node, request: RemoteTraceRequest, send: Callable[[bytes], None]) -> None:
        self._node = node
        self._name = node.name
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._lines: list[bytes] = []
        self._size = 0
        self._dropped = 0
        self._on_tick: list[Callable[[], None]] = []
        self._on_end: list[Callable[[], None]] = []
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        self._batch: asyncio.TimerHandle | None = None
        self.renew()

    def renew(self) -> None:
        """Renew the lease."""
        self._expires_at = self._loop.time() + LEASE_SECONDS

    def emit(self, kind: str, content: Any, **fields: object) -> None:
        """Accept an event; see `event_line`."""
        line = event_line(kind, content, node=self._name, **fields)
        if self._size + len(line) > MAX_BATCH_BYTES:
            self._dropped += 1
            return
        self._lines.append(line)
        self._size += len(line)
        if self._batch is None:
            self._batch = self._loop.call_later(BATCH_SECONDS, self._flush)

    def on_tick(self, callback: Callable[[], None]) -> None:
        """Call `callback` every half a second."""
        self._on_tick.append(callback)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the trace ends."""
        self._on_end.append(callback)

    def finish(self) -> None:
        """Stop the trace."""
        self._timer.cancel()
        if self._batch is not None:
            self._batch.cancel()
        on_end, self._on_end, self._on_tick = self._on_end, [], []
        for callback in on_end:
            callback()

    def _flush(self) -> None:
        self._batch = None
        lines, self._lines, self._size = self._lines, [], 0
        dropped, self._dropped = self._dropped, 0
        if dropped:
            lines.append(event_line("lost", {"events": dropped}, node=self._name))
        self._send(b"".join(lines))

    def _tick(self) -> None:
        if self._loop.time() > self._expires_at or self._node.shutting_down:
            self.finish()
            return
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        for callback in self._on_tick:
            callback()
