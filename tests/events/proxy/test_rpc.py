"""Remote procedure calls (06 §11), and what holds for all events while they are answered (06 §4.5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.events.proxy.configs import proxied
from tests.support.backend import Held, never, text
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Backend
    from tests.support.server import Server

PATIENT = {"rpc": {"proxy": {"timeout": "20s"}}, "channel": {"proxy": {"publish": {"timeout": "20s"}}}}
"""Backends may take their time."""


async def test_the_backend_is_told_what_is_called(server: Server, backend: Backend) -> None:
    backend.on("rpc", {"result": {"data": 3}})
    async with connected(server, token("7")) as client:
        assert await client.call(rpc={"method": "sum", "data": [1, 2]}) == {"data": 3}
    assert backend.asked("rpc") == [
        {
            "client": client.client_id,
            "transport": "websocket",
            "protocol": "json",
            "encoding": "json",
            "user": "7",
            "method": "sum",
            "data": [1, 2],
        }
    ]


async def test_payloads_travel_as_they_were_written(server: Server, backend: Backend) -> None:
    backend.on("rpc", text('{"result":{"data": {"b" : 1.50,"a":[ ]}}}'))
    async with connected(server, token("7")) as client:
        await client.call(rpc={"method": "m"})
        assert '"data":{"b" : 1.50,"a":[ ]}' in client.text


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({}, {}),
        ({"result": {}}, {}),
        ({"result": {"data": None}}, {"data": None}),
        ({"result": {"data": 1, "b64data": "WzJd"}}, {"data": [2]}),
    ],
)
async def test_results(server: Server, backend: Backend, answer: Any, result: Any) -> None:  # 06-21
    backend.on("rpc", answer)
    async with connected(server, token("7")) as client:
        assert await client.call(rpc={"method": "m"}) == result


@pytest.mark.parametrize(
    ("method", "code"), [("zz:m", 104), ("off:m", 108), ("on:m", 0), ("m", 0), (":m", 0), ("", 0), ("on:a:b", 0)]
)
async def test_namespaces_decide_who_is_called(  # 06-21
    server: Server, backend: Backend, method: str, code: int
) -> None:
    async with connected(server, token("7")) as client:
        reply = await client.call(rpc={"method": method})
    assert reply.get("error", {}).get("code", 0) == code
    assert [one.get("method", "") for one in backend.asked("rpc")] == ([] if code else [method])


async def test_the_builtin_ping_goes_before(shared_server: StartServer, base: str, backend: Backend) -> None:
    server = shared_server(proxied(base, {"rpc": {"ping": {"enabled": True}}}))
    backend.on("rpc", {"result": {"data": 1}})
    async with connected(server, token("7")) as client:
        assert await client.call(rpc={"method": "ping"}) == {}
        assert await client.call(rpc={"method": "pong"}) == {"data": 1}


async def test_binary_data_needs_binary_encoding(  # 06-20
    shared_server: StartServer, server: Server, base: str, backend: Backend
) -> None:
    backend.on("rpc", {"result": {"b64data": "/wA="}})
    async with connected(server, token("7"), is_protobuf=True) as client:
        assert await client.error(rpc={"method": "m", "data": b"\xff\x00"}) == 100
    assert backend.requests == []
    binary = shared_server(proxied(base, {"rpc": {"proxy": {"binary_encoding": True}}}))
    async with connected(binary, token("7"), is_protobuf=True) as client:
        assert await client.call(rpc={"method": "m", "data": b"\xff\x00"}) == {"data": b"\xff\x00"}
    (body,) = backend.asked("rpc")
    assert (body["b64data"], body["encoding"], body["protocol"]) == ("/wA=", "binary", "protobuf")
    assert "data" not in body


async def test_a_slow_answer_delays_what_follows(  # 06-29
    shared_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = shared_server(proxied(base, PATIENT))
    held = Held({"result": {"data": "slow"}})
    backend.on("rpc", held)
    async with connected(server, token("7")) as client:
        await client.send(
            {"id": 5, "rpc": {"method": "m"}}, {"id": 6, "publish": {"channel": f"any:{name}", "data": 1}}
        )
        await backend.wait_for("rpc")
        await server.api("info")
        assert backend.asked("publish") == []
        held.released.set()
        assert [(await client.receive())["id"] for _ in range(2)] == [5, 6]


async def test_with_concurrency_it_does_not(  # 06-29
    shared_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = shared_server(proxied(base, {**PATIENT, "client": {"concurrency": 8}}))
    held = Held({"result": {"data": "slow"}})
    backend.on("rpc", held)
    async with connected(server, token("7")) as client:
        await client.send(
            {"id": 5, "rpc": {"method": "m"}}, {"id": 6, "publish": {"channel": f"any:{name}", "data": 1}}
        )
        assert (await client.receive())["id"] == 6
        held.released.set()
        assert (await client.receive())["id"] == 5


async def test_with_concurrency_a_close_gives_the_call_up(  # 06-28
    shared_server: StartServer, base: str, backend: Backend
) -> None:
    server = shared_server(proxied(base, {**PATIENT, "client": {"concurrency": 8}}))
    backend.on("rpc", never)
    async with connected(server, token("7")) as client:
        await client.send({"id": 5, "rpc": {"method": "m"}})
        await backend.wait_for("rpc")
    await backend.wait_cancelled("rpc")
    assert "error proxying rpc" not in server.log


async def test_without_it_what_was_sent_before_the_close_is_done(  # 06-28
    shared_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = shared_server(proxied(base, PATIENT))
    held = Held({})
    backend.on("rpc", held)
    async with connected(server, token("7")) as client:
        publish = {"publish": {"channel": f"pub:{name}", "data": {}}}
        await client.send({"id": 5, "rpc": {"method": "m"}}, {"id": 6, **publish}, {"id": 7, **publish})
        await backend.wait_for("rpc")
        client.socket.transport.abort()
    held.released.set()
    await backend.wait_for("publish")

    async def both_are_there() -> bool:
        history = await server.api("history", {"channel": f"pub:{name}", "limit": -1})
        return len(history["publications"]) == 2

    await until(both_are_there)
    assert backend.cancelled["rpc"] == 0


async def test_a_close_by_the_server_waits_for_the_answer(
    shared_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = shared_server(proxied(base, PATIENT))
    held = Held({"result": {"data": "never seen"}})
    backend.on("rpc", held)
    async with connected(server, token(name)) as client:
        await client.send({"id": 5, "rpc": {"method": "m"}})
        await backend.wait_for("rpc")
        await server.api("disconnect", {"user": name})
        await server.api("info")
        assert client.socket.close_code is None
        held.released.set()
        assert await client.closed() == (3503, "force disconnect")
        assert client.nothing_waits()
    assert backend.cancelled["rpc"] == 0


async def test_with_concurrency_a_close_by_the_server_takes_effect_at_once(
    shared_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = shared_server(proxied(base, {**PATIENT, "client": {"concurrency": 8}}))
    backend.on("rpc", never)
    async with connected(server, token(name)) as client:
        await client.send({"id": 5, "rpc": {"method": "m"}})
        await backend.wait_for("rpc")
        await server.api("disconnect", {"user": name})
        assert await client.closed() == (3503, "force disconnect")
    await backend.wait_cancelled("rpc")


async def test_a_shutdown_waits_for_no_connect(private_server: StartServer, base: str, backend: Backend) -> None:
    server = private_server(proxied(base, {"client": {"proxy": {"connect": {"timeout": "60s"}}}}))
    backend.on("connect", never)
    async with asyncio.timeout(10), connected(server, token("7")), opened(server) as client:
        await client.send({"id": 1, "connect": {}})
        await backend.wait_for("connect")
        await asyncio.to_thread(server.stop)
        assert (await client.closed())[0] == 3001
