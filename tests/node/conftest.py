"""A hub with sessions that record deliveries."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace

from fanjet.node.flusher import Flusher
from fanjet.node.hub import Hub
from fanjet.node.subscriber import Delivery, Subscriber
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.wire import WireFormat

PLAIN = WireFormat("test-json", JSON, lambda message: message)


class RecordingSession:
    """A session without a connection: what is flushed is kept as parsed messages."""

    def __init__(self, name: str, hub: Hub) -> None:
        self.client_id = name
        self.user = name
        self.session_id = ""
        self.outbox: list[bytes] | None = None
        self.frames: list[bytes] = []
        self.messages: list[dict] = []
        self.lost: list[Subscriber] = []
        self.disconnects = []
        self.hub = hub

    def flush(self) -> None:
        frames, self.outbox = self.outbox or [], None
        self.frames += frames
        self.messages += [json.loads(frame) for frame in frames]

    def disconnect(self, disconnect) -> None:
        self.disconnects.append(disconnect)

    def on_insufficient_state(self, subscriber: Subscriber) -> None:
        self.lost.append(subscriber)
        self.hub.remove(subscriber)

    @property
    def data(self) -> list:
        self.flush()
        return [message["push"]["pub"].get("data") for message in self.messages if "pub" in message.get("push", {})]


def delivery(**changes) -> Delivery:
    plain = Delivery(wire=PLAIN, positioned=False, delta=False, compact=False, push_join_leave=False, tags_filter=None)
    return replace(plain, **changes)


class Room:
    """A hub, and sessions in its channel `news`."""

    def __init__(self, **limits: float) -> None:
        self.hub = Hub(Flusher(asyncio.get_running_loop()), **limits)

    def subscribe(self, name: str, position: tuple[int, str] = (0, ""), *, live: bool = True, **changes):
        session = RecordingSession(name, self.hub)
        subscriber = Subscriber(session, "news", delivery(**changes))
        subscriber.offset, subscriber.epoch = position
        self.hub.add(subscriber)
        if live:
            self.hub.go_live(subscriber)
        return session, subscriber


@pytest.fixture
async def room() -> Room:
    return Room()
