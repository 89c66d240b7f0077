"""Stream positions: what is recovered after a gap, and what ends a subscription that has lost its place (01 §8)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import OPEN
from tests.support.tokens import token
from tests.support.wire_client import WireClient, connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]
UNRECOVERED = {"recoverable": True, "positioned": True, "was_recovering": True}
RECOVERED = {**UNRECOVERED, "recovered": True}


async def published(server: Server, channel: str, count: int) -> str:
    """Publish numbers, and return the epoch."""
    for number in range(count):
        position = await server.api("publish", {"channel": channel, "data": number})
    return str(position["epoch"])


def offsets(result: dict[str, Any]) -> list[int]:
    return [publication["offset"] for publication in result.get("publications", [])]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_what_was_missed_comes_with_the_reply_and_what_follows_live(  # 01-30
    server: Server, name: str, is_protobuf: bool
) -> None:
    channel = f"rec:{name}"
    async with connected(server, is_protobuf=is_protobuf) as client:
        await client.subscribe(channel)
        epoch = await published(server, channel, 3)
        assert [(await client.publication())["offset"] for _ in range(3)] == [1, 2, 3]
    await published(server, channel, 2)
    async with connected(server, is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, recover=True, offset=3, epoch=epoch)
        assert offsets(result) == [4, 5]
        assert [int(each["data"]) for each in result.pop("publications")] == [0, 1]
        assert result == {**RECOVERED, "epoch": epoch, "offset": 3}
        await server.api("publish", {"channel": channel, "data": {}})
        assert (await client.publication())["offset"] == 6


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
@pytest.mark.parametrize(
    ("count", "request_", "expected", "recovered"),
    [
        pytest.param(3, {"offset": 3}, {**RECOVERED, "offset": 3}, [], id="01-31-nothing-missed"),
        pytest.param(5, {"offset": 3, "epoch": "other"}, {**UNRECOVERED, "offset": 5}, [], id="01-32-03-38-epoch"),
        pytest.param(5, {"offset": 3, "epoch": ""}, {**RECOVERED, "offset": 3}, [4, 5], id="8.3-epoch-not-checked"),
        pytest.param(5, {"offset": 0}, RECOVERED, [1, 2, 3, 4, 5], id="16-19-from-the-beginning"),
        pytest.param(12, {"offset": 1}, {**UNRECOVERED, "offset": 12}, [], id="01-32-03-38-more-than-history-has"),
        pytest.param(12, {"offset": 2}, {**RECOVERED, "offset": 2}, list(range(3, 13)), id="just-as-much-as-it-has"),
        pytest.param(5, {"offset": 6}, {**UNRECOVERED, "offset": 5}, [], id="01-32-beyond-the-top"),
        pytest.param(5, {"offset": 0, "epoch": "_"}, {**UNRECOVERED, "offset": 5}, [], id="16-18-invalidated"),
    ],
)
async def test_recovery_is_whole_or_not_at_all(
    server: Server,
    name: str,
    is_protobuf: bool,
    count: int,
    request_: dict[str, Any],
    expected: dict[str, Any],
    recovered: list[int],
) -> None:
    channel = f"rec:{name}"
    epoch = await published(server, channel, count)
    async with connected(server, is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, recover=True, **{"epoch": epoch, **request_})
        assert offsets(result) == recovered
        result.pop("publications", None)
        assert result == {**expected, "epoch": epoch}
        await server.api("publish", {"channel": channel, "data": {}})
        assert (await client.publication())["offset"] == count + 1


async def test_a_client_may_refuse_what_is_not_recovered(server: Server, name: str) -> None:  # 01-32, fix 15
    channel = f"rec:{name}"
    epoch = await published(server, channel, 12)
    async with connected(server) as client:
        lost = {"channel": channel, "recover": True, "offset": 1, "epoch": epoch, "flag": 2}
        reply = await client.call(subscribe=lost)
        assert reply == {"error": {"code": 112, "message": "unrecoverable position"}}
        await server.api("publish", {"channel": channel, "data": 1})
        assert await client.pushes_so_far() == []
        assert (await client.subscribe(channel, flag=2))["offset"] == 13


async def test_more_than_the_recovery_limit_is_not_recovered(private_server: StartServer, name: str) -> None:  # 01-32
    server = private_server({**OPEN, "client": {**OPEN["client"], "recovery_max_publication_limit": 2}})
    channel = f"rec:{name}"
    epoch = await published(server, channel, 5)
    async with connected(server) as client:
        result = await client.subscribe(channel, recover=True, offset=2, epoch=epoch)
        assert result == {**UNRECOVERED, "epoch": epoch, "offset": 5}
        await client.call(unsubscribe={"channel": channel})
        assert offsets(await client.subscribe(channel, recover=True, offset=3, epoch=epoch)) == [4, 5]


@pytest.mark.parametrize("namespace", ["plain", "closed"])
async def test_a_wish_to_recover_is_remembered_where_nothing_can_be(  # 01-33
    server: Server, name: str, namespace: str
) -> None:
    channel = f"{namespace}:{name}"
    async with connected(server, token("u1")) as client:
        access = {"token": token("u1", channel=channel)}
        assert await client.subscribe(channel, recover=True, offset=1, epoch="x", **access) == {"was_recovering": True}


class Reader:
    """A client that comes and goes, and keeps what it has seen of one channel."""

    def __init__(self, server: Server, channel: str, *, is_protobuf: bool) -> None:
        self.server = server
        self.channel = channel
        self.is_protobuf = is_protobuf
        self.position: dict[str, Any] = {}
        self.seen: list[int] = []

    async def visit(self, publications: int) -> None:
        """Connect, recover, and read so many live publications."""
        async with connected(self.server, is_protobuf=self.is_protobuf) as client:
            result = await client.subscribe(self.channel, recover=bool(self.position), **self.position)
            assert result.get("recovered", False) == bool(self.position), result
            self.position = {"epoch": result["epoch"], "offset": result.get("offset", 0)}
            self.take(offsets(result))
            for _ in range(publications):
                await self.take_live(client)

    async def take_live(self, client: WireClient) -> None:
        self.take([(await client.publication())["offset"]])

    def take(self, offsets_: list[int]) -> None:
        self.seen += offsets_
        if offsets_:
            self.position["offset"] = offsets_[-1]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_who_comes_and_goes_misses_nothing_and_sees_nothing_twice(  # 01-34
    server: Server, name: str, is_protobuf: bool
) -> None:
    channel, publishing = f"long:{name}", True

    async def publish() -> None:
        while publishing:
            await server.api("broadcast", {"channels": [channel] * 3, "data": 1})

    publisher = asyncio.create_task(publish())
    reader = Reader(server, channel, is_protobuf=is_protobuf)
    for visit in range(25):
        await reader.visit(1 + visit % 3)
    publishing = False
    await publisher
    assert reader.seen == list(range(reader.seen[0], reader.seen[-1] + 1))


async def test_a_fresh_subscription_in_a_burst_starts_right_after_its_position(server: Server, name: str) -> None:
    channel, publishing = f"long:{name}", True  # 01-35

    async def publish() -> None:
        while publishing:
            await server.api("broadcast", {"channels": [channel] * 5, "data": 1})

    publisher = asyncio.create_task(publish())
    async with connected(server) as client:
        for _ in range(20):
            result = await client.subscribe(channel)
            assert (await client.publication())["offset"] == result.get("offset", 0) + 1
            await client.call(unsubscribe={"channel": channel})
            await client.pushes_so_far()
    publishing = False
    await publisher


async def test_a_stream_that_began_anew_is_noticed_and_ends_what_was_positioned_in_it(  # 01-36, 01-37
    quick: Server, name: str
) -> None:
    channel = f"brief:{name}"
    async with connected(quick) as client, opened(quick) as server_side:
        subscribed = await client.subscribe(channel)
        result = await server_side.connect(token=token(name, channels=[channel]))
        assert result["subs"][channel] == subscribed
        await quick.api("publish", {"channel": channel, "data": 1})
        assert (await client.publication())["offset"] == (await server_side.publication())["offset"] == 1
        # The stream is forgotten after a second without use; the next check finds another one.
        push = await client.push()
        assert push == {"channel": channel, "unsubscribe": {"code": 2500, "reason": "insufficient state"}}
        assert await server_side.closed() == (3010, "insufficient state")
        await quick.api("publish", {"channel": channel, "data": 2})
        assert await client.pushes_so_far() == []
        assert (await client.subscribe(channel, recover=True, **subscribed_position(subscribed)))["was_recovering"]


def subscribed_position(result: dict[str, Any]) -> dict[str, Any]:
    """What a client asks for when it subscribes again."""
    return {"epoch": result["epoch"], "offset": 1}


async def test_without_history_there_is_no_position(server: Server, name: str) -> None:  # 01 8.6
    async with connected(server) as client:
        await client.subscribe(name)
        await server.api("publish", {"channel": name, "data": 1, "skip_history": True})
        assert await client.publication() == {"data": 1}


async def test_what_leaves_history_out_moves_no_position(server: Server, name: str) -> None:  # 01 8.6, 03 8.1
    channel = f"rec:{name}"
    async with connected(server) as client:
        await client.subscribe(channel)
        await server.api("publish", {"channel": channel, "data": 1})
        await server.api("publish", {"channel": channel, "data": 2, "skip_history": True})
        await server.api("history_remove", {"channel": channel})
        await server.api("publish", {"channel": channel, "data": 3})
        assert [push["pub"].get("offset") for push in await client.pushes_so_far()] == [1, None, 2]
