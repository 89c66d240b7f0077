"""A node without listeners: everything between transports and engine, with clocks moved by the test."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from msgspec import structs

from fanjet.auth import ConnectionVerifier, SubscriptionVerifier, TokenRules
from fanjet.channels.namespaces import Namespaces
from fanjet.channels.subscription import from_server_api
from fanjet.client.context import ClientContext
from fanjet.client.settings import ClientSettings
from fanjet.config import Config
from fanjet.engines.factory import Engines
from fanjet.engines.interfaces import PublishOptions
from fanjet.net.timing_wheel import TimingWheel
from fanjet.node.node import Node
from tests.client.client import Client
from tests.client.engine import Gate, GatedBroker, GatedPresence
from tests.support.server import merge
from tests.support.tokens import SECRET

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.engines.interfaces import BrokerEvents, Published

CONFIG: dict[str, Any] = {
    "client": {"token": {"hmac_secret_key": SECRET}},
    "channel": {
        "without_namespace": {"allow_subscribe_for_client": True, "allow_publish_for_client": True},
        "namespaces": [
            {
                "name": "full",
                "allow_subscribe_for_client": True,
                "presence": True,
                "join_leave": True,
                "force_push_join_leave": True,
                "history_size": 100,
                "history_ttl": 300,
                "force_recovery": True,
                "allow_history_for_subscriber": True,
                "allow_presence_for_subscriber": True,
            }
        ],
    },
    "rpc": {"ping": {"enabled": True}},
}
HISTORY = PublishOptions(history_size=100, history_ttl=300)
TURNS = 20
"""More turns of the event loop than any test needs."""


class Clock:
    """The time of event loop, timing wheel and wall clock, which only the test advances."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = time.monotonic()
        self._epoch = int(time.time()) - self.now
        loop.time = self.monotonic  # type: ignore[method-assign]

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.now + self._epoch


class Rig:
    """One node and its clients."""

    def __init__(self, over: dict[str, Any] | None = None) -> None:
        config = Config.model_validate(merge(CONFIG, over or {}))
        self.clock = Clock(asyncio.get_running_loop())
        self.gate = Gate()
        self.wheel = TimingWheel(clock=self.clock.monotonic)
        self.presence = GatedPresence(self.gate)
        self.node = Node(
            name="test",
            version="0",
            namespaces=Namespaces(config.channel),
            open_engines=self._open_engines,
            max_message=max(config.client.queue_max_size, 0),
            max_lag=config.client.channel_position_max_time_lag,
        )
        rules = TokenRules(config.client.token, clock=self.clock.unix)
        self.context = ClientContext(
            node=self.node,
            settings=ClientSettings.from_config(config, "0"),
            wheel=self.wheel,
            config=config.client,
            connection_verifier=ConnectionVerifier(rules, resolve=self.node.resolve),
            subscription_verifier=SubscriptionVerifier(rules, resolve=self.node.resolve),
            now=self.clock.monotonic,
            unix_time=self.clock.unix,
        )

    def _open_engines(self, events: BrokerEvents, _uid: str) -> Engines:
        self.broker = GatedBroker(events, self.gate)
        return Engines(self.broker, self.presence)

    def open(self) -> Client:
        """A connection that has sent nothing yet."""
        return Client(self.context)

    def connected(self, user: str = "ann", **claims: Any) -> Client:
        client = self.open()
        client.connect(user, **claims)
        return client

    def start(self, call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start an operation of the server API in a task."""
        return asyncio.get_running_loop().create_task(call)

    async def settle(self) -> None:
        """Run everything that does not wait for a gate or for time."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float) -> None:
        """Advance the clocks and run due timers, in steps of at most a second."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now = min(self.clock.now + 1.0, until)
            while self.wheel.advance(self.clock.now):
                pass
            await self.settle()

    async def publish(self, channel: str, data: bytes = b"1", options: PublishOptions = HISTORY) -> Published:
        """Publish without the gate, as another node would."""
        return await self.broker.inner.publish(channel, data, options)

    async def publish_tagged(self, channel: str, tags: dict[str, str]) -> Published:
        """Publish with tags, which only backends can do."""
        return await self.publish(channel, options=structs.replace(HISTORY, tags=tags))

    def options(self, channel: str, **changes: Any) -> SubscriptionOptions:
        """The options of a subscription to `channel` by the server API."""
        made = from_server_api(self.node.resolve(channel), info=b"", data=b"", expire_at=0, override=None)
        return structs.replace(made, **changes)

    async def present(self, channel: str) -> set[str]:
        return set(await self.presence.inner.presence(channel))

    def assert_nothing_left(self) -> None:
        """No connection has left anything behind."""
        assert len(self.node.connections) == 0
        assert not self.context.unauthenticated
        assert self.node.hub.subscription_count == 0
        assert not list(self.node.hub.active_channels())
        assert not self.context.background
        assert not any(self.presence.inner._channels.values())
