"""Several nodes in one process over an in-memory bus; real controllers have tests of their own."""

from __future__ import annotations

import asyncio

import pytest

from fanjet.channels.subscription import Source, SubscriptionOptions
from fanjet.engines.factory import Engines
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.engines.memory import MemoryBroker, MemoryPresenceManager
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.node.node import Node
from fanjet.node.proto import control_pb2 as pb
from fanjet.node.registry import UnknownNode
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import DISCONNECT_FORCE, ERROR_INTERNAL, UNSUBSCRIBE_SERVER, ReplyError
from fanjet.protocol.messages import EmulationRequest, FilterNode
from fanjet.protocol.publication import StreamPosition


class Bus:
    """Delivers every message to whom it is for, in the next turn of the loop."""

    def __init__(self):
        self.receivers = {}
        self.sent = []
        self.broken = False

    def controller(self, uid):
        return BusController(self, uid)


class BusController:
    def __init__(self, bus, uid):
        self._bus = bus
        self._uid = uid

    async def start(self, on_control):
        self._bus.receivers[self._uid] = on_control

    async def publish_control(self, message, node=""):
        if self._bus.broken:
            raise EngineUnavailable("bus is down")
        self._bus.sent.append((node, pb.Command.FromString(message)))
        for uid, receive in list(self._bus.receivers.items()):
            if node in ("", uid):
                asyncio.get_running_loop().call_soon(receive, message)

    async def close(self):
        self._bus.receivers.pop(self._uid, None)


class Connection:
    """Notes what is done to it."""

    def __init__(self, user, client, session="", labels=None):
        self.user, self.client_id, self.session_id, self.labels = user, client, session, labels
        self.done = []
        self.running = asyncio.Event()

    async def subscribe_by_server(self, channel, options, since):
        self.done.append(("subscribe", channel, options, since))

    async def unsubscribe_by_server(self, channel, unsubscribe):
        self.done.append(("unsubscribe", channel, unsubscribe))

    def disconnect(self, disconnect):
        self.done.append(("disconnect", disconnect))

    def refresh_by_server(self, **how):
        self.done.append(("refresh", how))

    async def run_commands(self, data):
        if data == b"bad":
            raise MalformedFrame
        self.done.append(("commands", data))


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
async def join(bus):
    async def one(name):
        node = Node(
            name=name,
            version="1 OSS",
            namespaces=None,
            open_engines=lambda events, uid: Engines(
                MemoryBroker(events), MemoryPresenceManager(), bus.controller(uid)
            ),
        )
        await node.start()
        nodes.append(node)
        await settle()
        return node

    nodes = []
    yield one
    for node in nodes:
        await node.close()


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def names(node):
    return sorted(info.name for info in await node.info())


async def test_nodes_know_each_other_at_once_and_until_they_leave(join):
    a, b = await join("a"), await join("b")
    assert await names(a) == await names(b) == ["a", "b"]
    c = await join("c")
    assert await names(a) == await names(b) == await names(c) == ["a", "b", "c"]
    await b.shut_down()
    await settle()
    assert await names(a) == ["a", "c"]


async def test_a_new_node_is_told_what_there_is_now(join):
    a = await join("a")
    a.connections.add(Connection("u", "a1"))
    b = await join("b")
    assert [info.num_clients for info in await b.info() if info.name == "a"] == [1]
    assert [info.num_clients for info in await a.info() if info.name == "a"] == [1]


async def test_a_node_that_falls_silent_is_forgotten(join, bus, monkeypatch):
    a, b = await join("a"), await join("b")
    now = a.cluster.registry._clock()
    monkeypatch.setattr(a.cluster.registry, "_clock", lambda: now + 7.5)
    a.announce()
    a.announce()
    assert await names(a) == ["a", "b"]
    a.announce()
    assert await names(a) == ["a"]
    b.announce()
    await settle()
    assert await names(a) == ["a", "b"]


async def test_metrics_travel_once_and_are_remembered(join, bus):
    a, b = await join("a"), await join("b")
    bus.sent.clear()
    b.announce()
    await settle()
    assert not bus.sent[0][1].node.HasField("metrics")
    of_b = next(info for info in await a.info() if info.name == "b")
    assert of_b.metrics.items["centrifugo.node.num_clients"] == 0.0


async def test_orders_reach_the_connections_of_all_nodes(join):
    a, b = await join("a"), await join("b")
    here, there, other = Connection("ann", "c1"), Connection("ann", "c2", "s2"), Connection("bob", "c3")
    a.connections.add(here)
    for one in (there, other):
        b.connections.add(one)
    options = SubscriptionOptions(
        Source.SERVER_API,
        presence=True,
        join_leave=True,
        push_join_leave=True,
        positioning=True,
        recovery=True,
        chan_info=b'{"i":1}',
        data=b'{"d":1}',
        expire_at=77,
    )
    since = StreamPosition(5, "e")
    await a.subscribe(ConnectionFilter("ann"), "news", options, since)
    await a.unsubscribe(ConnectionFilter("ann", session="s2"), "news", UNSUBSCRIBE_SERVER)
    await a.refresh(ConnectionFilter("ann"), expired=False, expire_at=9, info=b"{}")
    await a.disconnect(ConnectionFilter("ann", whitelist={"c1"}), DISCONNECT_FORCE)
    await settle()
    subscribed, refreshed = (
        ("subscribe", "news", options, since),
        ("refresh", {"expired": False, "expire_at": 9, "info": b"{}"}),
    )
    assert here.done == [subscribed, refreshed]
    assert [done for done in there.done if done[0] != "disconnect"] == [
        subscribed,
        ("unsubscribe", "news", UNSUBSCRIBE_SERVER),
        refreshed,
    ]
    assert ("disconnect", DISCONNECT_FORCE) in there.done
    assert other.done == []


async def test_a_connection_that_takes_its_time_holds_up_no_other(join):  # 07 §14.4
    a, b = await join("a"), await join("b")
    slow, quick = Connection("ann", "c1"), Connection("ann", "c2")
    gate = asyncio.Event()

    async def wait(*_):
        await gate.wait()
        raise ReplyError(ERROR_INTERNAL)

    slow.subscribe_by_server = slow.unsubscribe_by_server = wait
    for one in (slow, quick):
        b.connections.add(one)
    await a.subscribe(ConnectionFilter("ann"), "news", SubscriptionOptions(Source.SERVER_API), None)
    await a.unsubscribe(ConnectionFilter("ann"), "news", UNSUBSCRIBE_SERVER)
    await settle()
    assert [done[0] for done in quick.done] == ["subscribe", "unsubscribe"]
    here = asyncio.create_task(
        b.subscribe(ConnectionFilter("ann"), "news", SubscriptionOptions(Source.SERVER_API), None)
    )
    await settle()
    assert [done[0] for done in quick.done] == ["subscribe", "unsubscribe", "subscribe"]
    gate.set()
    with pytest.raises(ReplyError):
        await here


async def test_labels_and_all_users_narrow_and_widen(join):
    a, b = await join("a"), await join("b")
    red, blue, anonymous = (
        Connection("ann", "c1", labels={"team": "red"}),
        Connection("bob", "c2", labels={"team": "blue"}),
        Connection("", "c3"),
    )
    for one in (red, blue, anonymous):
        b.connections.add(one)
    await a.disconnect(
        ConnectionFilter("", label_filter=FilterNode(key="team", cmp="eq", val="red"), all_users=True), DISCONNECT_FORCE
    )
    await a.unsubscribe(ConnectionFilter(""), "x", UNSUBSCRIBE_SERVER)
    await settle()
    assert [one.done for one in (red, blue)] == [[("disconnect", DISCONNECT_FORCE)], []]
    assert anonymous.done == [("unsubscribe", "x", UNSUBSCRIBE_SERVER)]


async def test_when_the_others_cannot_be_told_nothing_is_done_here(join, bus):
    a = await join("a")
    connection = Connection("ann", "c1")
    a.connections.add(connection)
    bus.broken = True
    with pytest.raises(ReplyError):
        await a.disconnect(ConnectionFilter("ann"), DISCONNECT_FORCE)
    assert connection.done == []


async def test_an_outage_of_the_controller_is_told_once(join, bus, caplog):
    a, b = await join("a"), await join("b")
    for _ in range(2):
        bus.broken = True
        for _ in range(3):
            a.announce()
            await settle()
        bus.broken = False
        a.announce()
        await settle()
    assert [record.getMessage() for record in caplog.records] == ["error announcing node"] * 2
    assert await names(b) == ["a", "b"]


async def test_commands_reach_the_node_that_holds_the_session(join):
    a, b = await join("a"), await join("b")
    session = Connection("ann", "c1", "s1")
    b.connections.add(session)
    await a.emulate(EmulationRequest(node=b.uid, session="s1", data=b"{}"))
    assert session.done == [("commands", b"{}")]
    await a.emulate(EmulationRequest(node=b.uid, session="gone", data=b"{}"))
    await a.emulate(EmulationRequest(node=b.uid, session="s1", data=b"bad"))
    with pytest.raises(UnknownNode):
        await a.emulate(EmulationRequest(node="nobody", session="s1", data=b"{}"))


async def test_channels_are_those_of_all_nodes_and_bad_patterns_are_refused(join):
    a, b = await join("a"), await join("b")
    assert await a.channels("") == {}
    for node in (a, b):
        with pytest.raises(ReplyError):
            await node.channels("[")


async def test_a_survey_needs_the_answers_of_all(join, bus):
    a, b = await join("a"), await join("b")
    del bus.receivers[b.uid]
    with pytest.raises(ReplyError, match="100"):
        await a.channels("", within=0.05)


@pytest.mark.parametrize(
    "message",
    [
        b"\xff",
        pb.Command(uid="other").SerializeToString(),
        pb.Command(uid="other", notification=pb.Notification(op="x")).SerializeToString(),
        pb.Command(uid="other", survey_response=pb.SurveyResponse(id=99)).SerializeToString(),
        pb.Command(uid="other", subscribe=pb.Subscribe(user="ann", source=200)).SerializeToString(),
        pb.Command(
            uid="other", disconnect=pb.Disconnect(user="ann", label_filter=pb.FilterNode(op="bad"))
        ).SerializeToString(),
    ],
)
async def test_odd_messages_harm_nobody(join, message):
    a = await join("a")
    a.cluster.on_control(message)
    await settle()
    assert await names(a) == ["a"]


async def test_of_several_contents_the_first_of_the_contract_s_order_counts(join):  # 07 §14.3
    a = await join("a")
    a.cluster.on_control(
        pb.Command(uid="b", node=pb.Node(uid="b", name="b"), shutdown=pb.Shutdown()).SerializeToString()
    )
    assert await names(a) == ["a", "b"]
    both = pb.Command(uid="b", shutdown=pb.Shutdown(), unsubscribe=pb.Unsubscribe(channel="news"))
    a.cluster.on_control(both.SerializeToString())
    assert await names(a) == ["a"]


async def test_unknown_questions_are_answered_with_3(join, bus):
    a = await join("a")
    heard = []
    bus.receivers["asker"] = lambda data: heard.append(pb.Command.FromString(data))
    for operation, data in (("channels", b""), ("channels", b"\xff"), ("what", b""), ("centrifuge_emulation", b"\xff")):
        request = pb.SurveyRequest(id=7, op=operation, data=data)
        a.cluster.on_control(pb.Command(uid="asker", survey_request=request).SerializeToString())
    await settle()
    answers = [one.survey_response for one in heard if one.HasField("survey_response")]
    assert [(one.id, one.code) for one in answers] == [(7, 0), (7, 2), (7, 3), (7, 1)]


def test_the_bytes_are_those_of_the_contract():
    shutdown = pb.Command(uid="N1", shutdown=pb.Shutdown())
    node = pb.Node(
        uid="N1", name="host_8000", version="6.9.0 OSS", num_clients=2, num_users=1, num_channels=3, uptime=12
    )
    assert shutdown.SerializeToString().hex() == "0a024e313a00"
    assert pb.Command(uid="N1", node=node).SerializeToString().hex() == (
        "0a024e3122220a024e311209686f73745f383030301a09362e392e30204f5353200228013003380c"
    )
