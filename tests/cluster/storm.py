"""Two nodes in this process on one Redis, each behind a network that fails at random, and clients who recover.

One seed is one interleaving of publishes, subscribes, links that are cut within a message, outages, lost data.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from typing import TYPE_CHECKING, Any

from fanjet.auth import ConnectionVerifier, SubscriptionVerifier, TokenRules
from fanjet.channels.namespaces import Namespaces
from fanjet.client.context import ClientContext
from fanjet.client.session import Session
from fanjet.client.settings import ClientSettings
from fanjet.config import Config
from fanjet.config.tree.engine import EngineRedis
from fanjet.engines.factory import Engines
from fanjet.engines.interfaces import EngineUnavailable, PublishOptions
from fanjet.engines.memory import MemoryPresenceManager
from fanjet.engines.redis import RedisBroker, Shards
from fanjet.net.timing_wheel import TimingWheel
from fanjet.node.node import Node
from tests.client.client import FakeTransport
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.engines.interfaces import BrokerEvents
    from fanjet.protocol.codes import Disconnect
    from tests.support.redis import Redis
    from tests.support.relay import Relay

CONFIG = {
    "client": {"allow_anonymous_connect_without_token": True, "recovery_max_publication_limit": 10_000},
    "channel": {
        "without_namespace": {
            "allow_subscribe_for_client": True,
            "allow_subscribe_for_anonymous": True,
            "history_size": 10_000,
            "history_ttl": 300,
            "force_recovery": True,
        }
    },
}
CHANNELS = ("first", "second")
KEPT = {"history_size": 10_000, "history_ttl": 300}
PATIENCE = 60.0

Position = tuple[str, int]


class Storm:
    """One seed's world. `loses_data`: Redis forgets now and then."""

    def __init__(self, seed: int, redis: Redis, relays: list[Relay]) -> None:
        self.chance = random.Random(seed)
        self.loses_data = self.chance.random() < 0.25
        self._redis = redis
        self._relays = relays
        self._nodes = [StormNode(relay.port, f"storm{seed}") for relay in relays]
        self.followers: list[Follower] = []
        self.acknowledged: dict[str, dict[Position, int]] = {channel: {} for channel in CHANNELS}
        self._numbers = iter(range(1, 1_000_000))

    async def run(self) -> None:
        """Let it rage, then wait for calm: everybody has to get to the top of the streams."""
        try:
            await asyncio.gather(*(node.start() for node in self._nodes))
            for number in range(4):
                self.followers.append(Follower(self._nodes[number % 2].context, self.chance))
            works = [self._publish(node) for node in self._nodes for _ in range(2)]
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(self._fail(), self._wander(), *works)
            await self._calm()
        finally:
            for follower in self.followers:
                follower.stop()
            await asyncio.gather(*(node.close() for node in self._nodes))

    def check(self) -> None:
        """Nobody who could recover has missed or repeated anything, and what was acknowledged has arrived or its loss
        was told."""
        for follower in self.followers:
            assert not follower.complaints, follower.complaints
            assert self.loses_data or not follower.losses_told, "nothing was lost, and yet a loss was told"
            for channel, acknowledged in self.acknowledged.items():
                got = follower.got[channel]
                for position, number in acknowledged.items():
                    if position in got:
                        assert got[position] == number, f"{position} of {channel} differs"
                    else:
                        assert follower.was_excused(channel, position), f"{position} of {channel} was missed"
        if not self.loses_data:
            self._check_once()

    def _check_once(self) -> None:
        """A publish that was repeated with its key is there once."""
        for channel in CHANNELS:
            numbers = [number for follower in self.followers[:1] for number in follower.got[channel].values()]
            assert len(numbers) == len(set(numbers)), f"something was published twice in {channel}"

    # ------------------------------------------------------------------------------------------ what happens

    async def _publish(self, node: StormNode) -> None:
        for _ in range(self.chance.randrange(5, 30)):
            await self._pause(0.004)
            await self._publish_one(node, self.chance.choice(CHANNELS), repeat=self.chance.random() < 0.5)

    async def _publish_one(self, node: StormNode, channel: str, *, repeat: bool) -> None:
        """With `repeat` until it is acknowledged, under one key."""
        number = next(self._numbers)
        delta = self.chance.random() < 0.2
        options = PublishOptions(**KEPT, idempotency_key=str(number) if repeat else "", use_delta=delta)
        while True:
            try:
                published = await node.node.publish(channel, b"%d" % number, options)
            except EngineUnavailable:
                await asyncio.sleep(0.002)
                if not repeat:
                    return
            else:
                self.acknowledged[channel][published.epoch, published.offset] = number
                return

    async def _fail(self) -> None:
        for _ in range(self.chance.randrange(2, 8)):
            await self._pause(0.02)
            await self.chance.choice(self._failures())(self.chance.choice(self._relays))
        for relay in self._relays:
            relay.heal()
            await relay.mend()

    def _failures(self) -> list[Callable[[Relay], Any]]:
        failures = [self._cut, self._cut_in_a_frame, self._outage, self._stall, self._kill, self._forget_scripts]
        return [*failures, self._lose_data] if self.loses_data else failures

    async def _cut(self, relay: Relay) -> None:
        await relay.cut()

    async def _cut_in_a_frame(self, relay: Relay) -> None:
        """The link that has carried so many bytes is cut, be they whole messages or not."""
        relay.cut_after(self.chance.randrange(1, 600), to_client=self.chance.random() < 0.6)

    async def _outage(self, relay: Relay) -> None:
        await relay.break_off()
        await self._pause(0.03)
        await relay.mend()

    async def _stall(self, relay: Relay) -> None:
        relay.stall()
        await self._pause(0.03)
        relay.flow()

    async def _kill(self, _relay: Relay) -> None:
        self._redis.call("CLIENT", "KILL", "TYPE", self.chance.choice(["pubsub", "normal"]))

    async def _forget_scripts(self, _relay: Relay) -> None:
        self._redis.call("SCRIPT", "FLUSH")

    async def _lose_data(self, _relay: Relay) -> None:
        self._redis.call("FLUSHALL")

    async def _wander(self) -> None:
        """Clients come and go."""
        for _ in range(self.chance.randrange(0, 6)):
            await self._pause(0.03)
            follower = self.chance.choice(self.followers)
            if self.chance.random() < 0.5:
                follower.leave()
            else:
                follower.resubscribe(self.chance.choice(CHANNELS))

    async def _pause(self, most: float) -> None:
        await asyncio.sleep(self.chance.choice([0, 0, self.chance.uniform(0, most)]))

    async def _calm(self) -> None:
        """The network is well again. What nothing follows is found out by comparing positions, as every node does from
        time to time (07 §20); whatever comes then has to arrive without that."""
        await self._all_at_the_top(check=True)
        await self._all_at_the_top(check=False)

    async def _all_at_the_top(self, *, check: bool) -> None:
        for channel in CHANNELS:
            await self._publish_one(self._nodes[0], channel, repeat=True)

        async def there() -> bool:
            for node in self._nodes if check else ():
                await node.check_positions()
            tops = {channel: await self._top(channel) for channel in CHANNELS}
            return all(
                follower.position[channel] == tops[channel] for channel in CHANNELS for follower in self.followers
            )

        try:
            await until(there, PATIENCE)
        except TimeoutError:
            positions = [follower.position for follower in self.followers]
            raise AssertionError(f"no calm: {positions}, {self.acknowledged}") from None

    async def _top(self, channel: str) -> Position | None:
        try:
            top = (await self._nodes[0].node.broker.history(channel, limit=0)).top
        except EngineUnavailable:
            return None
        return top.epoch, top.offset


class StormNode:
    """A node and what its sessions work with."""

    def __init__(self, port: int, prefix: str) -> None:
        config = Config.model_validate(CONFIG)
        redis = EngineRedis.model_validate({"address": [f"127.0.0.1:{port}"], "io_timeout": 0.5})
        self.node = Node(
            name="storm",
            version="0",
            namespaces=Namespaces(config.channel),
            open_engines=lambda events, uid: self._engines(Shards(redis), events, uid, prefix),
        )
        rules = TokenRules(config.client.token, clock=time.time)
        self.context = ClientContext(
            node=self.node,
            settings=ClientSettings.from_config(config, "0"),
            wheel=TimingWheel(),
            config=config.client,
            connection_verifier=ConnectionVerifier(rules, resolve=self.node.resolve),
            subscription_verifier=SubscriptionVerifier(rules, resolve=self.node.resolve),
            now=time.monotonic,
            unix_time=time.time,
        )

    def _engines(self, shards: Shards, events: BrokerEvents, uid: str, prefix: str) -> Engines:
        return Engines(RedisBroker(shards, events, uid, prefix=prefix, history_meta_ttl=300), MemoryPresenceManager())

    async def start(self) -> None:
        await self.node.start()

    async def check_positions(self) -> None:
        for channel in list(self.node.hub.active_channels()):
            if channel.positioned or channel.ungrouped:
                await self.node.check_position(channel, 300)

    async def close(self) -> None:
        await self.node.shut_down()
        await self.node.close()


class _Telling(FakeTransport):
    """Tells its follower what comes."""

    def __init__(self, follower: Follower) -> None:
        super().__init__()
        self._follower = follower
        self._loop = asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        for line in data.splitlines():
            self._loop.call_soon(self._follower.take, self, json.loads(line))

    def end(self, disconnect: Disconnect) -> None:
        super().end(disconnect)
        self._loop.call_soon(self._follower.take_end, self)


class Follower:
    """A client of both channels, who comes back whenever it has lost its connection or a subscription, and recovers."""

    def __init__(self, context: ClientContext, chance: random.Random) -> None:
        self.got: dict[str, dict[Position, int]] = {channel: {} for channel in CHANNELS}
        self.position: dict[str, Position | None] = dict.fromkeys(CHANNELS)
        self.losses_told = 0
        self.complaints: list[str] = []
        self._starts: dict[str, list[Position]] = {channel: [] for channel in CHANNELS}
        self._ends: dict[str, list[Position]] = {channel: [] for channel in CHANNELS}
        self._subscribed: set[str] = set()
        self._context = context
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._waiting: dict[int, str] = {}
        self._ids = itertools.count(1)
        self._connect()

    def stop(self) -> None:
        """Come back no more."""
        self._stopped = True
        self._transport.lose()

    def leave(self) -> None:
        """Lose the connection, and come back."""
        transport = self._transport
        if transport.session is not None:
            transport.lose()
            self.take_end(transport)

    def resubscribe(self, channel: str) -> None:
        """Leave a channel for a moment."""
        if channel in self._subscribed:
            self._subscribed.discard(channel)
            self._send(unsubscribe={"channel": channel})
            self._subscribe(channel)

    def was_excused(self, channel: str, position: Position) -> bool:
        """Whether a publication there came before this one first subscribed, or its loss was told."""
        epoch, offset = position
        if any(epoch == each and offset <= start for each, start in self._starts[channel]):
            return True
        # A stream that has ended: who was in it was told, and who has never been could not know of it.
        now = self.position[channel]
        return now is not None and now[0] != epoch

    # ------------------------------------------------------------------------------------------ the connection

    def _connect(self) -> None:
        if self._stopped:
            return
        self._transport = _Telling(self)
        self._transport.session = Session(self._context, self._transport)
        self._subscribed.clear()
        self._waiting.clear()
        self._send(connect={})

    def _send(self, **command: Any) -> int:
        number = next(self._ids)
        self._transport.receive(json.dumps({"id": number, **command}).encode())
        return number

    def take_end(self, transport: FakeTransport) -> None:
        """The connection has ended."""
        if transport is self._transport:
            self._loop.call_later(self._chance.uniform(0, 0.01), self._connect)

    def take(self, transport: FakeTransport, message: dict[str, Any]) -> None:
        """A message has come."""
        if transport is not self._transport:
            return
        if "connect" in message:
            for channel in CHANNELS:
                self._subscribe(channel)
        elif message.get("id") in self._waiting:
            self._take_reply(self._waiting.pop(message["id"]), message)
        elif "push" in message:
            self._take_push(message["push"])

    def _subscribe(self, channel: str) -> None:
        position = self.position[channel]
        wish = {} if position is None else {"recover": True, "epoch": position[0], "offset": position[1]}
        if self._transport.session is not None:
            self._waiting[self._send(subscribe={"channel": channel, **wish})] = channel

    def _take_reply(self, channel: str, reply: dict[str, Any]) -> None:
        if "error" in reply:
            self._loop.call_later(0.005, self._subscribe, channel)
            return
        result = reply["subscribe"]
        top = result["epoch"], result.get("offset", 0)
        before = self.position[channel]
        self._subscribed.add(channel)
        if before is None:
            self._starts[channel].append(top)
            self.position[channel] = top
        elif not result.get("recovered"):
            self.losses_told += 1
            self._starts[channel].append(top)
            self.position[channel] = top
        for publication in result.get("publications", ()):
            self._take_publication(channel, publication)

    def _take_push(self, push: dict[str, Any]) -> None:
        channel = push["channel"]
        if "pub" in push:
            if channel in self._subscribed:
                self._take_publication(channel, push["pub"])
        elif "unsubscribe" in push:
            self._subscribed.discard(channel)
            if push["unsubscribe"]["code"] != 2500:
                self.complaints.append(f"unsubscribed from {channel} with {push['unsubscribe']}")
            self._subscribe(channel)

    def _take_publication(self, channel: str, publication: dict[str, Any]) -> None:
        position = self.position[channel]
        assert position is not None
        epoch, offset = position
        if publication["offset"] != offset + 1:
            self.complaints.append(f"{publication} of {channel} came at {position}")
        self.position[channel] = epoch, publication["offset"]
        self.got[channel][epoch, publication["offset"]] = publication["data"]
