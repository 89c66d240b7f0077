"""The console of one node shows and controls connections of all nodes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from tests.admin.conftest import CONFIG, Admin, Clients
from tests.support.redis import Redis
from tests.support.server import Server, merge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

TIMEOUT = 30.0


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers that share a Redis, `east` and `west`; the second serves no console."""
    with contextlib.ExitStack() as stack:
        redis = Redis(tmp_path_factory.mktemp("redis"))
        redis.start()
        stack.callback(redis.stop)
        engine = {"engine": {"type": "redis", "redis": {"address": f"redis://{redis.address}"}}}
        started = []
        for name, admin in (("east", True), ("west", False)):
            over = engine | {"node": {"name": name}, "admin": {"enabled": admin}}
            server = Server(merge(CONFIG, over), tmp_path_factory.mktemp(name))
            server.start()
            stack.callback(server.stop)
            started.append(server)
        yield started


@pytest_asyncio.fixture
async def admin(nodes: list[Server]) -> AsyncIterator[Admin]:
    """An admin client of the first node, which has discovered the second."""
    async with aiohttp.ClientSession() as session:
        admin = Admin(session, nodes[0].url)
        assert await admin.log_in() == 200
        await until(admin, "console/overview", lambda found: len(found["nodes"]) == 2)
        yield admin


@pytest.fixture
def local_clients(nodes: list[Server]) -> Clients:
    """Clients of the queried node."""
    return Clients(nodes[0])


@pytest.fixture
def remote_clients(nodes: list[Server]) -> Clients:
    """Clients of the other node."""
    return Clients(nodes[1])


@pytest.fixture
def name() -> str:
    """A channel and user used only by this test."""
    return f"n{uuid.uuid4().hex[:12]}"


async def until(admin: Admin, path: str, reached: Any, **parameters: object) -> Any:
    """Poll until the response satisfies `reached`."""
    async with asyncio.timeout(TIMEOUT):
        while not reached(found := await admin.get_json(path, **parameters)):  # noqa: ASYNC110 - it is on another node
            await asyncio.sleep(0.1)
    return found


async def test_connections_of_all_nodes_are_listed_and_paged(
    admin: Admin, local_clients: Clients, remote_clients: Clients, name: str
) -> None:
    async with (
        local_clients.open(name) as one,
        local_clients.open(name) as two,
        remote_clients.open(name) as three,
        remote_clients.open(name) as four,
    ):
        expected = [
            (client.id, node) for client, node in ((two, "east"), (one, "east"), (four, "west"), (three, "west"))
        ]

        def shown(found: dict[str, Any]) -> list[tuple[str, str]]:
            return [(row["client"], row["node"]) for row in found["connections"]]

        found = await admin.get_json("console/connections", user=name)
        assert (shown(found), found["total"], found["silent"]) == (expected, 4, [])
        for offset, limit in ((0, 3), (1, 1), (1, 2), (2, 2), (3, 5), (4, 5)):
            page = await admin.get_json("console/connections", user=name, offset=offset, limit=limit)
            assert (shown(page), page["total"]) == (expected[offset : offset + limit], 4)
        west = next(node["uid"] for node in found["nodes"] if node["name"] == "west")
        assert shown(await admin.get_json("console/connections", user=name, node=west)) == expected[2:]


async def test_a_connection_of_another_node_is_shown_and_acted_upon(
    admin: Admin, remote_clients: Clients, name: str
) -> None:
    async with remote_clients.open(name, f"{name}-a", f"{name}-b") as client:
        found = await admin.get_json("console/connection", client=client.id)
        assert (found["node"], found["name"], found["state"]) == ("west", "js", "connected")
        assert {one["channel"] for one in found["subscriptions"]} == {f"{name}-a", f"{name}-b"}
        order = f'"params":{{"user":"{name}","client":"{client.id}"'
        await admin.command(f'{{"method":"unsubscribe",{order},"channel":"{name}-a"}}}}')
        assert (await client.receive())["push"]["channel"] == f"{name}-a"
        at = int(time.time()) + 3600
        await admin.command(f'{{"method":"refresh",{order},"expire_at":{at}}}}}')
        await until(admin, "console/connection", lambda found: found["expire_at"] == at, client=client.id)
        await admin.command(f'{{"method":"disconnect",{order}}}}}')
        while (message := await client.socket.receive(timeout=TIMEOUT)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.data == 3503
    status, text = await admin.get_error("console/connection", client=client.id)
    assert (status, text) == (404, "There is no such connection.")


async def test_deliveries_to_connections_of_another_node_are_diagnosed(
    admin: Admin, remote_clients: Clients, name: str
) -> None:
    wanted = {"key": "kind", "cmp": "eq", "val": "news"}
    async with remote_clients.open(name, name, recoverable=True, tf=wanted):
        await admin.command(f'{{"method":"publish","params":{{"channel":"{name}","data":1,"tags":{{"kind":"x"}}}}}}')
        found = await until(
            admin,
            "console/explanation",
            lambda found: "tags filter" in found["connections"][0]["verdict"],
            user=name, channel=name, offset=1,
        )  # fmt: skip
        assert [row["node"] for row in found["connections"]] == ["west"]
        assert found["steps"][0][:2] == ["Is the publication in the history?", "yes"]


async def test_a_channel_is_shown_with_its_subscribers_on_every_node(
    admin: Admin, local_clients: Clients, remote_clients: Clients, name: str
) -> None:
    async with local_clients.open("a", name), remote_clients.open("b", name), remote_clients.open("c", name):
        found = await admin.get_json("console/channel", channel=name)
        assert [(node["node"], node["subscribers"]) for node in found["nodes"]] == [("east", 1), ("west", 2)]


@pytest.mark.parametrize("kind", ["user", "client"])
async def test_a_client_of_another_node_is_traced(admin: Admin, remote_clients: Clients, name: str, kind: str) -> None:
    async with (
        remote_clients.open(name, name) as client,
        admin.trace(kind, name if kind == "user" else client.id) as trace,
    ):
        watching = await trace.event("watching")
        assert (watching["client"], watching["node"]) == (client.id, "west")
        await client.call(presence_stats={"channel": name})
        assert (await trace.event("command"))["command"]["presence_stats"] == {"channel": name}
        reply = await trace.event("reply")
        assert reply["ms"] >= 0
        await admin.command(f'{{"method":"publish","params":{{"channel":"{name}","data":{{"n":1}}}}}}')
        assert (await trace.event("push"))["push"]["pub"]["data"] == {"n": 1}


async def test_a_trace_without_reader_ends_on_all_nodes(admin: Admin, remote_clients: Clients, name: str) -> None:
    """Traced sessions have a separate wire format, which the channel details show."""

    def shared(found: dict[str, Any]) -> bool:
        return [group["members"] for group in found["nodes"][0]["groups"]] == [2]

    async with remote_clients.open(name, name) as client, remote_clients.open("other", name):
        assert shared(await admin.get_json("console/channel", channel=name))
        async with admin.trace("client", client.id) as trace:
            await trace.event("watching")
            assert not shared(await admin.get_json("console/channel", channel=name))
        await until(admin, "console/channel", shared, channel=name)


async def test_a_node_that_does_not_answer_is_named(
    admin: Admin, local_clients: Clients, nodes: list[Server], name: str
) -> None:
    async with local_clients.open(name) as client:
        os.kill(nodes[1].pid, signal.SIGSTOP)
        try:
            found = await admin.get_json("console/connections", user=name)
            async with admin.trace("client", client.id) as trace:
                silent = await trace.event("silent")
        finally:
            os.kill(nodes[1].pid, signal.SIGCONT)
        assert [row["client"] for row in found["connections"]] == [client.id]
        assert (found["total"], found["silent"]) == (1, ["west"])
        assert silent["silent"] == {"nodes": ["west"]}
