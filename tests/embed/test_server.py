"""Embedded servers: start, stop, API calls."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import fanjet
from tests.embed.servers import CHAT, connected, make_server
from tests.support import wire_client
from tests.support.server import Process, Server, free_port, merge
from tests.support.tokens import token
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


async def allow(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
    return fanjet.ConnectReply(user="u")


async def test_api_calls_mean_what_they_mean_over_http() -> None:
    server = make_server()
    server.on_connect(allow)
    async with server, connected(server) as client:
        await client.subscribe("news:x")
        assert (await server.api.publish("news:x", {"n": 1})).offset == 0
        assert (await client.publication())["data"] == {"n": 1}
        await server.api.publish("news:x", b'{"raw":  true}')
        assert (await client.publication())["data"] == {"raw": True}
        first = await server.api.publish("chat:x", "one", tags={"a": "b"}, idempotency_key="k")
        assert await server.api.publish("chat:x", "one", idempotency_key="k") == first
        await server.api.publish("chat:x", "two")
        history = await server.api.history("chat:x", limit=-1, since=fanjet.Position(1, first.epoch))
        assert [one.data.json() for one in history.publications if one.data] == ["two"]
        await server.api.history_remove("chat:x")
        assert (await server.api.history("chat:x", limit=-1)).publications == []
        responses = (await server.api.broadcast(["news:x", "nowhere:x"], 1)).responses
        assert [response.error.code if response.error else 0 for response in responses] == [0, 102]
        await server.api.subscribe("u", "chat:x", data={"welcome": True})
        assert (await client.publication())["data"] == 1
        assert (await client.push())["subscribe"]["data"] == {"welcome": True}
        assert (await server.api.presence_stats("chat:x")).num_users == 1
        assert await server.api.channels() == {"news:x": 1, "chat:x": 1}
        await server.api.unsubscribe("u", "chat:x")
        assert (await client.push())["unsubscribe"]["code"] == 2000
        await server.api.refresh("u", expired=True)
        assert (await client.closed())[0] == 3005


@pytest.mark.parametrize(
    ("call", "code"),
    [
        pytest.param(("publish", "nowhere:x", 1), 102, id="unknown-namespace"),
        pytest.param(("publish", "", 1), 107, id="no-channel"),
        pytest.param(("presence", "news:x"), 108, id="no-presence"),
        pytest.param(("history", "news:x"), 108, id="no-history"),
    ],
)
async def test_api_calls_raise_api_errors(call: tuple[Any, ...], code: int) -> None:
    async with make_server() as server:
        name, *arguments = call
        with pytest.raises(fanjet.ApiError) as failure:
            await getattr(server.api, name)(*arguments)
    assert failure.value.code == code
    assert str(failure.value).startswith(str(code))


async def test_backends_call_rpc_methods_of_the_program() -> None:
    server = make_server({"http_api": {"key": "k"}})

    @server.api_rpc("sum")
    async def total(params: list[int]) -> int:
        if not params:
            raise fanjet.BadRequest
        return sum(params)

    async with server, aiohttp.ClientSession(headers={"X-API-Key": "k"}) as session:

        async def call(body: dict[str, Any]) -> Any:
            async with session.post(f"http://127.0.0.1:{server.port}/api/rpc", json=body) as response:
                return await response.json()

        assert await call({"method": "sum", "params": [1, 2]}) == {"result": {"data": 3}}
        assert await call({"method": "sum"}) == {"error": {"code": 107, "message": "bad request"}}
        assert (await call({"method": "other"}))["error"]["code"] == 104


async def test_two_servers_in_one_program_are_independent() -> None:
    servers = [make_server(), make_server()]
    for server in servers:
        server.on_connect(allow)
    async with servers[0], servers[1], connected(servers[0]) as one, connected(servers[1]) as other:
        await one.subscribe("news:x")
        await other.subscribe("news:x")
        await servers[1].api.publish("news:x", "other")
        await servers[0].api.publish("news:x", "one")
        assert (await one.publication())["data"] == "one"
        assert (await other.publication())["data"] == "other"


async def test_an_embedded_server_changes_no_signals_logging_or_gc_settings() -> None:
    before = (
        signal.getsignal(signal.SIGTERM),
        logging.getLogger().handlers[:],
        gc.get_threshold(),
        gc.get_freeze_count(),
    )
    async with make_server():
        after = (
            signal.getsignal(signal.SIGTERM),
            logging.getLogger().handlers[:],
            gc.get_threshold(),
            gc.get_freeze_count(),
        )
    assert after == before


async def test_a_server_can_be_started_again() -> None:
    server = make_server()
    server.on_connect(allow)
    for _ in range(2):
        async with server, connected(server) as client:
            await client.subscribe("news:x")
            await server.stop()
            assert await client.closed() == (3001, "shutdown")
    await server.stop()


async def test_calls_before_start_and_registration_after_start_are_errors() -> None:
    server = make_server()
    with pytest.raises(RuntimeError, match="does not run"):
        _ = server.api
    async with server:
        with pytest.raises(RuntimeError, match="runs already"):
            await server.start()
        with pytest.raises(RuntimeError, match="before the server starts"):
            server.on_connect(allow)


async def test_a_taken_address_can_be_tried_again() -> None:
    async with make_server() as first:
        second = fanjet.Server(CHAT, address="127.0.0.1", port=first.port)
        with pytest.raises(OSError, match="already in use"):
            await second.start()
    async with second:
        assert second.port


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        pytest.param({"chanel": {"max_length": 1}}, "unknown key in configuration: chanel", id="unknown"),
        pytest.param({"client": {"ping_interval": "soon"}}, "client.ping_interval", id="not-a-value"),
        pytest.param({"channel": {"namespaces": [{"name": "x"}, {"name": "x"}]}}, "x", id="invalid"),
        pytest.param({"client": {"ping_interval": "1s"}}, "ping_interval must be greater", id="unservable"),
        pytest.param({"client": {"allowed_origins": [object()]}}, "a value that files cannot have", id="object"),
        pytest.param("/nowhere/config.json", "cannot be opened", id="no-file"),
    ],
)
def test_bad_configurations_are_refused_by_name(configuration: Any, message: str) -> None:
    with pytest.raises(fanjet.ConfigError, match=message):
        fanjet.Server(configuration)


async def test_files_and_dotted_keys_configure_too(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"channel": {"without_namespace": {"history_size": 1, "history_ttl": "1m"}}}))
    dotted = {"channel.without_namespace": {"history_size": 1, "history_ttl": "1m"}}
    for configuration in (path, str(path), dotted):
        async with fanjet.Server(configuration, address="127.0.0.1", port=0) as server:
            assert (await server.api.publish("x", 1)).offset == 1


def test_importing_the_package_loads_no_server() -> None:
    code = "import fanjet, sys; print(len([name for name in sys.modules if name.startswith('fanjet.')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_every_public_name_is_there() -> None:
    assert all(getattr(fanjet, name) for name in fanjet.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fanjet.nothing


PROGRAM = """
import fanjet
server = fanjet.Server({}, address="127.0.0.1", port=PORT)

@server.on_connect
async def connect(event):
    return fanjet.ConnectReply(user="u")

raise SystemExit(server.run())
"""


async def test_a_server_can_be_the_program(tmp_path: Path) -> None:
    port = free_port()
    process = Process([sys.executable, "-c", PROGRAM.replace("PORT", str(port))], port, tmp_path)
    await asyncio.to_thread(process.start)
    async with wire_client.opened(process) as client:  # type: ignore[arg-type]
        await client.connect()
        assert await asyncio.to_thread(process.stop) == 0
        assert await client.closed() == (3001, "shutdown")
    assert "signal received: terminated" in process.log


RELOADED_PROGRAM = """
import sys
import fanjet
server = fanjet.Server(sys.argv[1])

@server.on_subscribe("chat")
async def subscribe(event):
    pass

raise SystemExit(server.run())
"""


async def test_a_reload_that_leaves_a_handler_without_its_namespace_changes_nothing(tmp_path: Path) -> None:
    server = Server({"channel": {"namespaces": [{"name": "chat"}]}}, tmp_path)
    server.words = [sys.executable, "-c", RELOADED_PROGRAM, str(tmp_path / "config.json")]
    await asyncio.to_thread(server.start)
    admitted = token("ann")
    over = {"channel": {"namespaces": []}, "client": {"token": {"hmac_secret_key": "another secret"}}}
    (tmp_path / "config.json").write_text(json.dumps(merge(server.config, over)))
    server.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]

    async def is_refused() -> bool:
        return "error reloading: " in server.log

    await until(is_refused)
    async with wire_client.connected(server, admitted) as client:
        await client.subscribe("chat:1")
    assert await asyncio.to_thread(server.stop) == 0


async def test_a_handler_may_stop_waiting_when_the_server_stops() -> None:
    server = make_server()
    server.on_connect(allow)
    begun, ended = asyncio.Event(), asyncio.Event()

    @server.rpc("wait")
    async def wait(event: fanjet.RPCEvent) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with server, connected(server) as client:
        await client.send({"id": 9, "rpc": {"method": "wait"}})
        await begun.wait()
        await asyncio.wait_for(server.stop(), 4)  # half of the time that a shutdown may take
        assert ended.is_set()


async def test_a_handler_that_ends_soon_is_waited_for() -> None:
    server = make_server()
    server.on_connect(allow)
    begun, gate, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @server.rpc("wait")
    async def wait(event: fanjet.RPCEvent) -> None:
        begun.set()
        await gate.wait()
        done.set()

    async with server, connected(server) as client:
        await client.send({"id": 9, "rpc": {"method": "wait"}})
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        gate.set()
        await stopping
        assert done.is_set()
        assert await client.closed() == (3001, "shutdown")


async def test_a_server_inside_a_program_has_no_worker_processes() -> None:
    with pytest.raises(fanjet.ConfigError, match=r"fanjet\.workers"):
        await make_server({"fanjet": {"workers": 2}}).start()
