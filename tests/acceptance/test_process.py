"""What starting, stopping and signalling the server process does (04 §4, §8, §11, §13)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.acceptance.configs import ANYONE
from tests.acceptance.launching import Launcher, accepts_connections, lines, logged, warnings
from tests.acceptance.test_http_surface import ask
from tests.acceptance.test_reload import CONFIG, changed, reload
from tests.support.server import API_KEY, free_port
from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

ANONYMOUS: dict[str, Any] = {"client": {"allow_anonymous_connect_without_token": True}}


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.stop_all()


async def test_without_a_configuration_the_defaults_are_served(launch: Launcher) -> None:  # 04-1
    server = launch(None)
    await logged(server, "config file not found, continue using environment and flag options")
    assert (await ask(f"{server.url}/api/info", "POST", body="{}")).status == 401
    assert (await ask(f"{server.url}/api/info")).status == 405
    health = await ask(f"{server.url}/health")
    assert (health.status, health.body) == (404, "404 page not found\n")
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {}})
        assert await client.closed() == (3501, "bad request")


async def test_insecure_switches_work_and_are_named(launch: Launcher) -> None:  # 04-39
    server = launch(None, "--client.insecure", "--http_api.insecure")
    await logged(server, "INSECURE HTTP API")
    assert [message.split(" mode")[0] for message in warnings(server) if message.startswith("INSECURE")] == [
        "INSECURE client",
        "INSECURE HTTP API",
    ]
    assert (await ask(f"{server.url}/api/info", "POST", body="{}")).status == 200
    async with connected(server) as client:
        await client.subscribe("news")


def test_a_port_in_use_is_named(launch: Launcher) -> None:  # 04-44
    server = launch(ANONYMOUS)
    second = subprocess.run(
        server.words, cwd=server.folder, env=server.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode == 1
    last = json.loads(second.stderr.splitlines()[-1])
    assert last["level"] == "fatal"
    assert f"127.0.0.1:{server.port}" in last["error"]


@pytest.mark.parametrize("disabled", [True, False])
async def test_nothing_is_sent_home(launch: Launcher, disabled: bool) -> None:  # 04-43
    server = launch({**ANONYMOUS, "usage_stats": {"disabled": disabled}})
    async with connected(server):
        assert connections_of(server) == {server.port}
    assert await asyncio.to_thread(server.stop) == 0
    assert warnings(server) == []


def connections_of(server: Server) -> set[int]:
    """Local ports of the TCP connections and listeners that a process holds."""
    links = (os.readlink(file) for file in Path(f"/proc/{server.pid}/fd").iterdir() if file.is_symlink())
    inodes = {match[1] for link in links if (match := re.fullmatch(r"socket:\[(\d+)\]", link))}
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{server.pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[9] in inodes}


async def test_a_request_that_never_ends_holds_the_process_until_the_timeout(launch: Launcher) -> None:  # 04-34, 04-35
    server = launch({**ANONYMOUS, "shutdown": {"timeout": "1s"}})
    head = f"POST /api/info HTTP/1.1\r\nHost: x\r\nX-API-Key: {API_KEY}\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(f"{head}{{".encode())
        async with connected(server) as client:
            began = time.monotonic()
            ending = asyncio.create_task(asyncio.to_thread(server.stop))
            await logged(server, "shutting down ...")
            assert await client.closed() == (3001, "shutdown")
            assert not accepts_connections(server)
            assert not ending.done()
            assert await ending == 1
    assert 0.9 < time.monotonic() - began < 8
    last = lines(server)[-1]
    assert (last["level"], last["message"]) == ("fatal", "shutdown timeout reached")


async def test_a_second_signal_changes_nothing(launch: Launcher) -> None:  # 04 11
    server = launch({**ANONYMOUS, "shutdown": {"timeout": "1s"}})
    head = f"POST /api/info HTTP/1.1\r\nHost: x\r\nX-API-Key: {API_KEY}\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(head.encode())
        await ask(f"{server.url}/health")  # by now the slow request is being read
        os.kill(server.pid, signal.SIGINT)
        await logged(server, "shutting down ...")
        assert await asyncio.to_thread(server.stop) == 1
    assert [line["message"] for line in lines(server) if "signal" in line["message"]] == ["signal received: interrupt"]


async def test_a_reload_leaves_the_port_and_the_connections(launch: Launcher) -> None:  # 04-36
    server = launch(CONFIG)
    other = free_port()
    async with connected(server, token("u1")) as client:
        change = {"http_server": {"port": other}, "client": {"token": {"hmac_secret_key": "another"}}}
        await reload(server, changed(server, change), message="configuration successfully reloaded")
        async with connected(server, token("u2", secret="another")):
            pass
        async with opened(server) as refused:
            await refused.send({"id": 1, "connect": {"token": token("u2")}})
            assert await refused.closed() == (3500, "invalid token")
        await client.subscribe("early:x")
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(f"http://127.0.0.1:{other}/")


async def test_a_new_namespace_works_at_once(launch: Launcher) -> None:  # 04-36
    server = launch(CONFIG)
    namespaces = list(CONFIG["channel"]["namespaces"])
    async with connected(server) as client:

        async def seconds_until_it_works(name: str) -> float:
            namespaces.append({"name": name, **ANYONE})
            (server.folder / "config.json").write_text(changed(server, {"channel": {"namespaces": namespaces}}))
            began = time.monotonic()
            os.kill(server.pid, signal.SIGHUP)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while "error" in await client.call(subscribe={"channel": f"{name}:x"}):
                        pass
            return time.monotonic() - began

        # 200 ms and the way there and back; the best of some attempts, for the machine may be busy.
        assert min([await seconds_until_it_works(f"late{number}") for number in range(4)]) < 0.25
