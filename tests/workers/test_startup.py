"""Start of a server with several workers, and startup errors."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.config import ConfigError, config_of
from fanjet.config.validation import validate
from tests.support.family import SLOW
from tests.support.server import Server, merge
from tests.support.waiting import until
from tests.workers.conftest import CONFIG, started

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "server"
    made.mkdir()
    return made


async def test_a_fatal_startup_error_is_logged_once(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(merge(CONFIG, {"http_server": {"internal_port": str(taken.getsockname()[1])}}), folder)
        with pytest.raises(RuntimeError, match="exit status 1"):
            await asyncio.to_thread(server.start)
    fatal = [line for line in lines(server) if line["level"] == "fatal"]
    assert [(line.get("worker"), line["message"]) for line in fatal] == [
        (1, "error starting server"),
        (None, "error starting workers"),
    ]
    assert "bind: Address already in use" in fatal[0]["error"]


async def test_a_too_long_socket_path_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path / ("x" * 100)
    far.mkdir()
    monkeypatch.setenv("TMPDIR", str(far))
    server = Server(merge(CONFIG, {"engine": {"type": "memory"}}), folder)
    with pytest.raises(RuntimeError, match="exit status 1"):
        await asyncio.to_thread(server.start)
    fatal = lines(server)[-1]
    assert (fatal["level"], fatal["message"]) == ("fatal", "error starting workers: no place for their sockets")
    assert fatal["error"].startswith(str(far))
    assert not list(far.iterdir())


async def test_configuration_warnings_are_logged_once(private_server: StartServer) -> None:
    server = await started(private_server, {"strange": 1})
    warned = [line for line in lines(server) if "strange" in json.dumps(line)]
    assert [(line["level"], line.get("worker")) for line in warned] == [("warn", None)]


async def test_a_second_server_does_not_join_the_addresses_of_the_first(
    private_server: StartServer, folder: Path
) -> None:
    first = await started(private_server, {})
    second = Server(merge(CONFIG, {"http_server": {"port": first.port}}), folder)
    second.environment |= {"PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        *second.words, cwd=folder, env=second.environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"bind: Address already in use" in said


async def test_a_unix_socket_is_shared_and_removed_in_the_end(private_server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "fanjet.sock"
    server = await started(private_server, {"fanjet": {"http_unix_socket": str(path)}, "http_api": {"external": True}})
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    for _ in range(4):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"POST /api/info HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.close()
    assert await asyncio.to_thread(server.stop) == 0
    assert not path.exists()


async def test_sockets_of_systemd_are_for_all_workers_and_it_hears_from_the_supervisor(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as passed, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.setblocking(False)
        server = Server(merge(CONFIG, {"http_server": {"port": passed.getsockname()[1]}}), folder)
        process = _activated(server, passed, str(folder / "notify"))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SLOW):
            assert await loop.sock_recv(manager, 100) == b"READY=1"
        names = {node["name"].rpartition("_")[2] for node in (await server.api("info"))["nodes"]}
        assert names == {"1", "2"}
        process.terminate()
        async with asyncio.timeout(SLOW):
            assert await loop.sock_recv(manager, 100) == b"STOPPING=1"
        assert await asyncio.to_thread(process.wait) == 0


def _activated(server: Server, passed: socket.socket, notify: str) -> subprocess.Popen[bytes]:
    """Start a server as systemd does: with an open socket as descriptor 3."""
    moved = f"exec 3<&{passed.fileno()}" if passed.fileno() != 3 else ":"
    words = ["bash", "-c", f'{moved}; export LISTEN_PID=$$; exec "$@"', "bash", *server.words]
    environment = server.environment | {
        "LISTEN_FDS": "1",
        "LISTEN_FDNAMES": "external",
        "NOTIFY_SOCKET": notify,
    }
    with (server.folder / "log").open("ab") as log:
        return subprocess.Popen(
            words, cwd=server.folder, env=environment, pass_fds=[passed.fileno()], stdout=log, stderr=log
        )


async def test_graphite_gets_one_stream_of_sums(private_server: StartServer) -> None:
    received: list[str] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append((await reader.read()).decode())
        writer.close()

    graphite = await asyncio.start_server(take, "127.0.0.1", 0)
    port = graphite.sockets[0].getsockname()[1]
    over = {"graphite": {"enabled": True, "port": port, "interval": "1s", "prefix": "p"}, "node": {"name": "n"}}
    await started(private_server, over)

    async def told_of_both() -> bool:
        return any("p.n.centrifugo.node.num_nodes 2.000000 " in page for page in received)

    await until(told_of_both, SLOW)
    assert not any("p.n_1" in page for page in received)
    graphite.close()
    await graphite.wait_closed()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"fanjet": {"drain_time": "-1s"}}, "fanjet.drain_time: -1s must not be negative"),
        ({"fanjet": {"drain_time": "30s"}}, r"fanjet.drain_time: 30s must be less than shutdown.timeout \(30s\)"),
        ({"fanjet": {"workers": 2}, "http_server": {"tls_autocert": {"enabled": True}}}, "tls_autocert.cache_dir: "),
    ],
)
def test_what_does_not_go_together_is_refused(content: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        validate(config_of(content))
