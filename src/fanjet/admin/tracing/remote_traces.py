"""Traces of users and clients on other nodes (10 I.2): asked for over the control plane, for as long as somebody reads.

The node that traces repeats its wish, which holds for some seconds only; the others send it what they hear in batches.
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

    from fanjet.client.session_tap import Watching
    from fanjet.node.node import Node

    from ..event_stream import EventStream

WISH: Final = "fanjet_trace"
EVENTS: Final = "fanjet_trace_events"
END: Final = "fanjet_trace_end"

ANSWER_SECONDS: Final = 3.0
TICKS_PER_WISH: Final = 10
WISH_HOLDS_SECONDS: Final = 20.0
BATCH_SECONDS: Final = 0.1
LARGEST_BATCH: Final = 256 * 1024
"""Bytes of events that wait to be sent; more are lost."""


class Wish(msgspec.Struct, frozen=True):
    """What a node wants to be told, and under which id."""

    id: str
    node: str
    type: str
    entity: str


_decode = msgspec.json.Decoder(Wish).decode


class FarTraces:
    """Has the other nodes tell, and tells them."""

    def __init__(self, node: Node, watching: Watching) -> None:
        self._node = node
        self._watching = watching
        self._open: dict[str, EventStream] = {}
        self._for_others: dict[str, _EventsForAnother] = {}
        self._running: set[asyncio.Task[None]] = set()
        node.inquiries.answer(WISH, self._grant)
        node.inquiries.hear(EVENTS, self._take_events)
        node.inquiries.hear(END, lambda _, data: self._end(data.decode()))

    # What this node wants to be told.

    def begin(self, kind: str, entity: str, stream: EventStream) -> None:
        """Pass on what other nodes hear until the stream ends. Those that do not answer are named once."""
        if self._node.cluster is None or not stream.open:
            return
        wish = Wish(uuid.uuid4().hex, self._node.uid, kind, entity)
        self._open[wish.id] = stream
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1
            if ticks % TICKS_PER_WISH == 0:
                self._run(self._ask(wish, stream, first=False))

        def end() -> None:
            del self._open[wish.id]
            self._run(self._node.notify(END, wish.id.encode()))

        stream.on_tick(tick)
        stream.on_end(end)
        self._run(self._ask(wish, stream, first=True))

    async def _ask(self, wish: Wish, stream: EventStream, *, first: bool) -> None:
        answers = await self._node.inquire(WISH, msgspec.json.encode(wish), within=ANSWER_SECONDS)
        if first and answers.silent:
            stream.tell("silent", {"nodes": sorted(one.name for one in answers.silent)})

    def _take_events(self, _sender: str, data: bytes) -> None:
        wish, _, lines = data.partition(b"\n")
        stream = self._open.get(wish.decode())
        if stream is not None:
            for line in lines.removesuffix(b"\n").split(b"\n"):
                stream.pass_on(line + b"\n")

    # What other nodes want to be told.

    async def _grant(self, question: bytes) -> bytes:
        wish = _decode(question)
        if wish.node != self._node.uid:
            events = self._for_others.get(wish.id)
            if events is None:
                self._begin_for(wish)
            else:
                events.prolong()
        return b""

    def _begin_for(self, wish: Wish) -> None:
        events = _EventsForAnother(self._node, wish, lambda data: self._run(self._send(wish, data)))
        self._for_others[wish.id] = events
        events.on_end(lambda: self._for_others.__delitem__(wish.id))
        trace = trace_client if wish.type == "client" else trace_user
        trace(self._node, wish.entity, self._watching, events)

    async def _send(self, wish: Wish, lines: bytes) -> None:
        await self._node.notify(EVENTS, wish.id.encode() + b"\n" + lines, to=wish.node)

    def _end(self, wish: str) -> None:
        events = self._for_others.get(wish)
        if events is not None:
            events.finish()

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


class _EventsForAnother:
    """Collects events and sends them in batches, until nobody wants them any more."""

    def __init__(self, node: Node, wish: Wish, send: Callable[[bytes], None]) -> None:
        self._node = node
        self._name = node.name
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._lines: list[bytes] = []
        self._size = 0
        self._lost = 0
        self._on_tick: list[Callable[[], None]] = []
        self._on_end: list[Callable[[], None]] = []
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        self._batch: asyncio.TimerHandle | None = None
        self.prolong()

    def prolong(self) -> None:
        """They are still wanted."""
        self._until = self._loop.time() + WISH_HOLDS_SECONDS

    def tell(self, kind: str, content: Any, **about: object) -> None:
        """Take an event; see `event_line`."""
        line = event_line(kind, content, node=self._name, **about)
        if self._size + len(line) > LARGEST_BATCH:
            self._lost += 1
            return
        self._lines.append(line)
        self._size += len(line)
        if self._batch is None:
            self._batch = self._loop.call_later(BATCH_SECONDS, self._flush)

    def on_tick(self, call: Callable[[], None]) -> None:
        """Call this every half a second."""
        self._on_tick.append(call)

    def on_end(self, call: Callable[[], None]) -> None:
        """Call this once, when the events are not wanted any more."""
        self._on_end.append(call)

    def finish(self) -> None:
        """Send nothing any more."""
        self._timer.cancel()
        if self._batch is not None:
            self._batch.cancel()
        on_end, self._on_end, self._on_tick = self._on_end, [], []
        for call in on_end:
            call()

    def _flush(self) -> None:
        self._batch = None
        lines, self._lines, self._size = self._lines, [], 0
        lost, self._lost = self._lost, 0
        if lost:
            lines.append(event_line("lost", {"events": lost}, node=self._name))
        self._send(b"".join(lines))

    def _tick(self) -> None:
        if self._loop.time() > self._until or self._node.shutting_down:
            self.finish()
            return
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        for call in self._on_tick:
            call()
