"""No gap and no duplicate while a subscription is being made (01 §8.2, §8.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanjet.protocol.publication import Publication
from tests.client.harness import Rig

if TYPE_CHECKING:
    from tests.client.client import Client

CHANNEL = "full:a"
WAYS = ["subscribe", "subscribe answer", "add", "add answer", "history", "history answer"]

actions = st.lists(st.sampled_from(["publish", "deliver", "step", "turn"]), max_size=40)
lossy_actions = st.lists(st.sampled_from(["publish", "deliver", "step", "turn", "lose"]), max_size=40)
relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Scene:
    """A channel with three publications, delivered later than they are stored, and one who subscribes meanwhile."""

    def __init__(self, *, with_neighbour: bool) -> None:
        self.rig = Rig()
        self.number = 0
        self.lost = 0
        self.neighbour: Client | None = None
        self.with_neighbour = with_neighbour

    async def prepare(self) -> None:
        if self.with_neighbour:
            self.neighbour = self.rig.connected("bob")
            self.neighbour.call(subscribe={"channel": CHANNEL})
        self.rig.broker.events.late = True
        for _ in range(3):
            await self.publish()
        self.epoch = (await self.rig.broker.inner.history(CHANNEL, limit=0)).top.epoch
        self.client = self.rig.connected()
        self.rig.gate.hold(*WAYS)

    async def publish(self) -> None:
        self.number += 1
        await self.rig.publish(CHANNEL, b"%d" % self.number)

    async def act(self, action: str) -> None:
        events = self.rig.broker.events
        if action == "publish":
            await self.publish()
        elif action == "deliver":
            events.deliver(1)
        elif action == "lose":
            self.lost += events.waiting > 0
            events.lose()
        elif action == "step":
            for way in WAYS:
                if self.rig.gate.waiting(way):
                    self.rig.gate.release_one(way)
                    break
        await asyncio.sleep(0)

    async def finish(self) -> None:
        """Everything that waits goes on, everything that is late arrives, and one more publication after it."""
        self.rig.gate.release(*WAYS)
        await self.rig.settle()
        self.rig.broker.events.deliver()
        await self.publish()
        self.rig.broker.events.deliver()
        await self.rig.settle()


def got(client: Client, number: int) -> tuple[dict, list[int]]:
    """The subscribe result, and the payloads that came with it and after it."""
    result = client.reply(number)["subscribe"]
    recovered = [publication["data"] for publication in result.get("publications", [])]
    return result, recovered + client.data(CHANNEL)


@given(script=actions, since=st.none() | st.integers(0, 3), neighbour=st.booleans())
@relaxed
async def test_recovered_publications_are_merged_with_delivered_ones(
    script: list[str], since: int | None, neighbour: bool
) -> None:
    scene = Scene(with_neighbour=neighbour)
    await scene.prepare()
    params = {} if since is None else {"recover": True, "offset": since, "epoch": scene.epoch}
    (number,) = scene.client.send({"subscribe": {"channel": CHANNEL, **params}})
    for action in script:
        await scene.act(action)
    await scene.finish()
    result, payloads = got(scene.client, number)
    assert result.get("recovered", False) is (since is not None)
    first = result.get("offset", 0) + 1
    assert payloads == list(range(first, scene.number + 1))
    assert scene.client.code is None
    assert not any("unsubscribe" in push for push in scene.client.pushes)
    if scene.neighbour is not None:
        assert scene.neighbour.data(CHANNEL) == list(range(1, scene.number + 1))


@given(script=lossy_actions, since=st.none() | st.integers(0, 3), neighbour=st.booleans())
@relaxed
async def test_a_lost_publication_is_noticed_before_a_later_one_is_delivered(
    script: list[str], since: int | None, neighbour: bool
) -> None:
    scene = Scene(with_neighbour=neighbour)
    await scene.prepare()
    params = {} if since is None else {"recover": True, "offset": since, "epoch": scene.epoch}
    (number,) = scene.client.send({"subscribe": {"channel": CHANNEL, **params}})
    for action in script:
        await scene.act(action)
    await scene.finish()
    if number not in scene.client.answered:
        assert scene.client.code == 3010
        assert scene.lost
        return
    result, payloads = got(scene.client, number)
    first = result.get("offset", 0) + 1
    assert payloads == list(range(first, first + len(payloads)))
    noticed = any(push.get("unsubscribe", {}).get("code") == 2500 for push in scene.client.pushes)
    assert noticed or payloads[-1] == scene.number
    assert not noticed or scene.lost


async def test_the_buffer_of_a_subscribing_session_is_limited() -> None:
    rig = Rig({"client": {"queue_max_size": 100_000}})
    client = rig.connected()
    rig.gate.hold("history")
    client.send({"subscribe": {"channel": CHANNEL}})
    await rig.settle()
    payload = b'"%s"' % (b"x" * 800)
    for _ in range(99):
        await rig.publish(CHANNEL, payload)
    await rig.settle()
    assert client.code is None
    for _ in range(20):
        await rig.publish(CHANNEL, payload)
    await rig.settle()
    assert client.code == 3008
    rig.gate.release("history")
    await rig.settle()
    rig.assert_nothing_left()


def deliver(rig: Rig, offset: int, epoch: str) -> None:
    """A publication of a stream that the broker may not have any more."""
    rig.node.hub.on_publication(CHANNEL, Publication(b"0", offset), epoch, use_delta=False, previous=None)


async def test_buffered_publications_of_another_stream_set_no_position(rig: Rig) -> None:
    await rig.publish("full:a")
    client = rig.connected()
    rig.gate.hold("history")
    client.send({"subscribe": {"channel": "full:a"}})
    await rig.settle()
    deliver(rig, 29, "gone")
    rig.gate.release("history")
    await rig.settle()
    assert client.code == 3010
    rig.assert_nothing_left()


async def test_buffered_publications_of_a_previous_stream_are_ignored(rig: Rig) -> None:
    epoch = (await rig.publish("full:a")).epoch
    client = rig.connected()
    rig.gate.hold("history")
    (number,) = client.send({"subscribe": {"channel": "full:a"}})
    await rig.settle()
    deliver(rig, 29, "gone")
    deliver(rig, 1, epoch)
    rig.gate.release("history")
    await rig.settle()
    assert client.reply(number)["subscribe"]["offset"] == 1
    await rig.publish("full:a", b"2")
    await rig.settle()
    assert client.data("full:a") == [2]
