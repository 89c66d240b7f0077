"""Effects of signals to the supervisor on all workers (04 §4, §11; issue: rolling restart)."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.family import SLOW, Family, is_running
from tests.support.following import Publisher, following, running
from tests.support.redis import Redis
from tests.support.server import free_port, merge
from tests.support.waiting import until
from tests.support.wire_client import connected
from tests.workers.conftest import CONFIG, OPEN, started
from tests.workers.test_crashes import all_have, nothing_is_missing_or_twice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartServer
    from tests.support.server import Server

CLIENTS = 200


def rewrite(server: Server, over: dict[str, Any]) -> None:
    """Change the configuration of a server that runs."""
    (server.folder / "config.json").write_text(json.dumps(merge(server.config, over)))


async def subscribed_on_all(server: Server, channel: str, code: int = 0) -> None:
    """Subscribe on connections of every worker, and see what comes of it."""
    for _ in range(16):
        async with connected(server) as client:
            reply = await client.call(subscribe={"channel": channel})
            assert reply.get("error", {}).get("code", 0) == code


async def test_a_reload_reaches_every_worker_and_disconnects_nobody(own: Server, name: str) -> None:
    family = Family(own)
    async with following(own, name, 16) as followers:
        await subscribed_on_all(own, f"later:{name}", 102)
        rewrite(own, {"channel": {"namespaces": [{"name": "later", **OPEN}]}})
        family.kill(family.parent, signal.SIGHUP)
        await family.logged("configuration successfully reloaded", 2)
        await subscribed_on_all(own, f"later:{name}")
        assert [follower.connections for follower in followers] == [1] * 16


async def test_a_rolling_restart_applies_the_configuration_without_loss(own: Server, name: str) -> None:
    family = Family(own)
    before, engine = family.workers(), family.engine()
    publisher = Publisher(own, name)
    rewrite(own, {"fanjet": {"drain_time": "2s"}, "client": {"channel_limit": 1}})
    async with following(own, name, CLIENTS) as followers:
        async with running(publisher.run()):
            family.kill(family.parent, signal.SIGUSR2)
            await family.logged("rolling restart is done")
        await all_have(publisher, followers)
        after = family.workers()
        async with connected(own) as client:  # the limit is one of those that only a restart brings
            await client.subscribe(name)
            assert await client.error(subscribe={"channel": f"{name}-2"}) == 106
    nothing_is_missing_or_twice(followers)
    assert before.keys() == after.keys()
    assert not set.union(*before.values()) & set.union(*after.values())
    assert family.engine() == engine
    assert "Traceback" not in own.log


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param({"client": {"ping_interval": "oh"}}, "error reading config", id="unreadable"),
        pytest.param({"fanjet": {"drain_time": "60s"}}, "must be less than shutdown.timeout", id="invalid"),
        pytest.param({"http_server": {"internal_port": "TAKEN"}}, "rolling restart stopped", id="does-not-come-up"),
    ],
)
async def test_a_failed_rolling_restart_keeps_the_old_workers(
    own: Server, name: str, broken: dict[str, Any], message: str
) -> None:
    family = Family(own)
    before = family.workers()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if "http_server" in broken:
            broken = {"http_server": {"internal_port": str(taken.getsockname()[1])}}
        async with following(own, name, 8) as followers:
            rewrite(own, broken)
            family.kill(family.parent, signal.SIGUSR2)
            await family.logged(message)
            publisher = Publisher(own, name)
            await publisher.publish()
            await all_have(publisher, followers)
            assert [follower.connections for follower in followers] == [1] * 8

            async def only_old_ones() -> bool:
                return family.workers() == before

            await until(only_old_ones, SLOW)
    rewrite(own, {})
    family.kill(family.parent, signal.SIGUSR2)
    await family.logged("rolling restart is done")
    assert not set.union(*before.values()) & set.union(*family.workers().values())


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    redis = Redis(tmp_path)
    redis.start()
    yield redis
    redis.stop()


async def test_a_rolling_restart_cannot_add_the_memory_engine(redis: Redis, private_server: StartServer) -> None:
    server = await started(private_server, {"engine": {"type": "redis", "redis": {"address": redis.address}}})
    family = Family(server)
    before = family.workers()
    rewrite(server, {"engine": {"type": "memory"}})
    family.kill(family.parent, signal.SIGUSR2)
    await family.logged("start all anew")
    assert family.workers() == before
    family.kill(family.worker(2))  # the next one must not serve either, alone with what it keeps
    await family.logged("start all anew", 2)
    rewrite(server, {})
    await family.logged("serving", 3)


async def test_a_rolling_restart_changes_addresses(own: Server) -> None:
    family = Family(own)
    port, path = free_port(), own.folder / "sock"
    rewrite(own, {"http_server": {"internal_port": str(port)}, "fanjet": {"http_unix_socket": str(path)}})
    family.kill(family.parent, signal.SIGUSR2)
    await family.logged("rolling restart is done")
    assert path.is_socket()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    rewrite(own, {})
    family.kill(family.parent, signal.SIGUSR2)
    await family.logged("rolling restart is done", 2)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert not path.exists()


async def test_a_starting_worker_binds_nothing_during_shutdown(own: Server) -> None:
    family = Family(own)
    path = own.folder / "sock"
    rewrite(own, {"fanjet": {"http_unix_socket": str(path)}})
    family.kill(family.parent, signal.SIGUSR2)
    await family.logged("rolling restart begins")
    assert await asyncio.to_thread(own.stop) == 0
    assert not path.exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_shutdown_disconnects_every_client(own: Server, how: signal.Signals) -> None:
    family = Family(own)
    pids = family.pids()
    async with connected(own) as one, connected(own) as two, connected(own) as three:
        assert await asyncio.to_thread(own.stop, how) == 0
        assert {await client.closed() for client in (one, two, three)} == {(3001, "shutdown")}
    assert not any(map(is_running, pids))


async def test_a_worker_that_exceeds_the_shutdown_timeout_is_killed(
    private_server: Any, engine: dict[str, Any]
) -> None:
    server = private_server(merge(CONFIG, merge(engine, {"shutdown": {"timeout": "1s"}, "pid_file": "run.pid"})))
    family = Family(server)
    await family.complete()
    assert (server.folder / "run.pid").read_text() == f"{family.parent}\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /api/info HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX-API-Key: test-api-key\r\n\r\n{")
    await writer.drain()
    pids = family.pids()
    assert await asyncio.to_thread(server.stop) == 1
    assert "shutdown timeout reached" in server.log
    assert not any(map(is_running, pids))
    assert not (server.folder / "run.pid").exists()
    writer.close()
    del reader
