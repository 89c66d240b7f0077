"""Behaviour common to all transports in every encoding (02 §4 to §7, §14, §15)."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import protobuf
from tests.support.relay import Relay
from tests.support.server import merge
from tests.support.stream_client import StreamClient
from tests.support.tokens import token
from tests.support.waiting import until
from tests.transports.conformance.transports import FRAMED_CASES

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server
    from tests.transports.conformance.transports import TransportCase

LIMIT = 65536
"""Bytes of a frame, or of the request that brings it."""


framed = pytest.mark.parametrize("case", FRAMED_CASES, ids=lambda case: case.name, indirect=True)
"""What is malformed on a stream, and what a connect's error leads to, is tested with the transport itself."""


async def until_empty(server: Server, channel: str) -> None:
    """Wait until a channel has no subscribers."""

    async def empty() -> bool:
        return channel not in (await server.api("channels"))["channels"]

    await until(empty)


def frame_of(case: TransportCase, *commands: dict[str, Any]) -> str | bytes:
    if case.is_protobuf:
        return b"".join(map(protobuf.encoded, commands))
    return "\n".join(map(json.dumps, commands))


async def test_the_connect_result_says_what_the_transport_needs(server: Server, case: TransportCase) -> None:
    async with case.open(server) as client:
        result = await client.connect()
        assert (result["ping"], result["pong"]) == (25, True)
        named = {"session", "node"} & result.keys()
        assert named == ({"session", "node"} if case.emulated else set())
        if case.emulated:
            assert result["session"] != result["client"]
            assert result["node"] == (await server.api("info"))["nodes"][0]["uid"]


async def test_commands_of_one_frame_are_answered_in_order(server: Server, case: TransportCase, name: str) -> None:
    async with case.open(server) as client:
        await client.connect()
        await client.send(
            {"id": 7, "subscribe": {"channel": f"all:{name}"}},
            {"id": 8, "publish": {"channel": f"all:{name}", "data": case.payload("x")}},
            {"id": 9, "presence_stats": {"channel": f"all:{name}"}},
        )
        got = [await client.receive() for _ in range(4)]
        assert [message["id"] for message in got if "id" in message] == [7, 8, 9]
        assert [message["push"]["pub"]["data"] for message in got if "push" in message] == [case.payload("x")]


async def test_the_first_frame_may_bring_more_than_the_connect(server: Server, case: TransportCase, name: str) -> None:
    async with case.open(server) as client:
        await client.send({"id": 1, "connect": {}}, {"id": 2, "subscribe": {"channel": name}})
        assert [(await client.receive())["id"] for _ in range(2)] == [1, 2]
        await server.api("publish", {"channel": name, "data": "x"})
        assert (await client.publication())["data"] == case.payload("x")


async def test_publications_reach_everybody_in_order(server: Server, case: TransportCase, name: str) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(case.open(server)) for _ in range(3)]
        for client in clients:
            await client.connect()
            await client.subscribe(f"all:{name}")
        texts = [f"{number} ü" for number in range(100)]
        for text in texts:
            body = json.dumps({"channel": f"all:{name}", "data": text}, ensure_ascii=False)
            await server.post("publish", body)
        for client in clients:
            assert [(await client.publication())["data"] for _ in texts] == [case.payload(text) for text in texts]


async def test_who_comes_back_gets_what_was_missed(server: Server, case: TransportCase, name: str) -> None:
    channel = f"rec:{name}"
    async with case.open(server) as client:
        await client.connect()
        before = await client.subscribe(channel)
    await until_empty(server, channel)
    for text in ("a", "b"):
        await server.api("publish", {"channel": channel, "data": text})
    async with case.open(server) as client:
        await client.connect()
        since = {"recover": True, "epoch": before["epoch"], "offset": before.get("offset", 0)}
        after = await client.subscribe(channel, **since)
        assert after["recovered"]
        assert [one["data"] for one in after["publications"]] == [case.payload("a"), case.payload("b")]


async def test_who_leaves_is_missed(server: Server, case: TransportCase, name: str) -> None:
    channel = f"joins:{name}"
    async with case.open(server) as watcher:
        await watcher.connect()
        await watcher.subscribe(channel)
        async with case.open(server) as client:
            await client.connect()
            await client.subscribe(channel)
        pushes = [await watcher.push() for _ in range(3)]
        assert [set(push) - {"channel"} for push in pushes] == [{"join"}, {"join"}, {"leave"}]
        assert pushes[2]["leave"]["info"]["client"] == client.client_id


async def test_pings_are_to_be_answered(quick: Server, case: TransportCase) -> None:
    async with case.open(quick) as client, case.open(quick, answers_pings=False) as silent:
        await client.connect()
        await silent.connect()
        await silent.ping()
        assert await silent.closed() == (3012, "no pong")
        for _ in range(2):
            await client.ping()
        assert await client.error(history={"channel": "closed:x"}) == 103


async def test_an_unsolicited_pong_is_refused(server: Server, case: TransportCase) -> None:
    async with case.open(server) as client:
        await client.connect()
        await client.pong()
        assert await client.closed() == (3501, "bad request")


async def test_the_server_says_why_it_disconnects(server: Server, case: TransportCase, name: str) -> None:
    async with case.open(server) as client:
        await client.connect(token=token(name))
        await server.api("disconnect", {"user": name, "disconnect": {"code": 4001, "reason": "bye"}})
        assert await client.closed() == (4001, "bye")
        assert client.nothing_waits()


async def test_what_was_sent_before_comes_before_the_end(server: Server, case: TransportCase, name: str) -> None:
    async with case.open(server) as client:
        await client.connect(token=token(name))
        await client.subscribe(f"all:{name}")
        texts = [str(number) for number in range(40)]
        for text in texts:
            await server.api("publish", {"channel": f"all:{name}", "data": text})
        await server.api("disconnect", {"user": name})
        assert [(await client.publication())["data"] for _ in texts] == [case.payload(text) for text in texts]
        assert await client.closed() == (3503, "force disconnect")


async def test_everybody_is_told_of_a_shutdown(
    private_server: StartServer, config: dict[str, Any], case: TransportCase
) -> None:
    server = private_server(config)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(case.open(server)) for _ in range(10)]
        for client in clients:
            await client.connect()
        began = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        assert {await client.closed() for client in clients} == {(3001, "shutdown")}
        assert await stopping == 0
        assert time.monotonic() - began < 5


async def test_what_is_too_large_is_refused(server: Server, case: TransportCase) -> None:
    async with case.open(server) as client:
        await client.connect()
        frame: str | bytes = "x" * (LIMIT + 1)
        if isinstance(client, StreamClient):
            assert await client.emulate(frame) == 413
            assert await client.error(rpc={"method": "none"}) == 108
        else:
            await client.send_frame(frame)
            assert (await client.closed())[0] == (1009 if case.framed else 3000)


MALFORMED = {
    False: [
        "",
        "not json",
        "[]",
        "{}",
        '{"id":1}',
        '{"id":2,"subscribe":{"channel":"x"}}',
        '{"id":1,"connect":{}}\n\n{}',
    ],
    True: [b"", b"\x05\x08", b"\xff" * 12, b"\x00", b"\x02\x08\x01", b"\x06\x08\x02\x2a\x02\x0a\x00"],
}


@pytest.mark.parametrize("number", range(7))
@framed
async def test_a_malformed_first_frame_is_refused(server: Server, case: TransportCase, number: int) -> None:
    frames: list[Any] = MALFORMED[case.is_protobuf]
    frame = frames[number % len(frames)]
    if not frame and case.name.startswith("sse"):
        pytest.skip("a request without commands is answered 400")
    async with case.open(server) as client:
        await client.send_frame(frame)
        assert await client.closed() == (3501, "bad request")


@pytest.mark.parametrize("broken", ["", "[]", '{"id":3}', '{"id":3,"subscribe":1}'])
@framed
async def test_a_malformed_frame_ends_the_connection_and_no_other(
    server: Server, case: TransportCase, name: str, broken: str
) -> None:
    async with case.open(server) as client, case.open(server) as other:
        for one in (client, other):
            await one.connect()
            await one.subscribe(name)
        await client.send_frame(broken.encode() if case.is_protobuf else broken)
        assert await client.closed() == (3501, "bad request")
        await server.api("publish", {"channel": name, "data": "x"})
        assert (await other.publication())["data"] == case.payload("x")


@framed
async def test_what_came_before_the_malformed_command_is_done(server: Server, case: TransportCase, name: str) -> None:
    async with case.open(server) as client:
        await client.connect()
        good = frame_of(case, {"id": 2, "subscribe": {"channel": name}})
        await client.send_frame(good + b"\x09\x09" if isinstance(good, bytes) else good + "\n?")
        assert (await client.receive())["id"] == 2
        assert await client.closed() == (3501, "bad request")


@framed
async def test_a_connect_that_fails_is_answered_and_is_the_last(quick: Server, case: TransportCase) -> None:
    async with case.open(quick) as client:
        await client.send({"id": 1, "connect": {"token": token("u", exp=1)}}, {"id": 2, "rpc": {}})
        assert (await client.receive())["error"]["code"] == 109
        assert await client.closed() == (3502, "stale")
        assert client.nothing_waits()


@framed
async def test_a_slow_consumer_is_disconnected_and_delays_no_other(
    shared_server: StartServer, config: dict[str, Any], case: TransportCase, name: str
) -> None:
    server = shared_server(merge(config, {"client": {"queue_max_size": 300_000}}))
    text = "x" * 60_000
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(Relay(server.port, window=4096))
        reader = await stack.enter_async_context(case.open(server))
        slow = await stack.enter_async_context(case.open(server, url=relay.url))
        for client in (reader, slow):
            await client.connect()
            await client.subscribe(f"all:{name}")
        await slow.subscribe(f"asks:{name}")
        relay.stall()
        for _ in range(200):
            await server.api("publish", {"channel": f"all:{name}", "data": text})
        await until_empty(server, f"asks:{name}")
        for _ in range(200):
            assert (await reader.publication())["data"] == case.payload(text)
        relay.flow()
        await slow.closed()
