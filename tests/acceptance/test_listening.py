"""Where the server listens besides its TCP addresses, and what it tells the service manager (02 §3.1)."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import websockets

from tests.acceptance.launching import Launcher, logged, warnings
from tests.acceptance.test_http_surface import ask
from tests.support.server import API_KEY, Server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANONYMOUS = {"client": {"allow_anonymous_connect_without_token": True}}


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.stop_all()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fanjet.sock"


def mode_of(path: Path) -> int | None:
    """The permissions of a file, None when there is none."""
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


async def ask_unix(path: Path, method: str, target: str) -> int:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.request(method, f"http://any{target}", headers={"X-API-Key": API_KEY}) as response,
    ):
        return response.status


async def test_a_unix_socket_serves_the_external_endpoints(launch: Launcher, path: Path) -> None:
    config = {**ANONYMOUS, "health": {"enabled": True}, "fanjet": {"http_unix_socket": str(path)}}
    server = launch(config)
    await logged(server, f"serving websocket endpoints on unix:{path}")
    assert mode_of(path) == 0o660
    async with websockets.unix_connect(str(path), "ws://any/connection/websocket") as client:
        await client.send('{"id":1,"connect":{}}')
        assert '"client"' in str(await client.recv())
        assert await ask_unix(path, "POST", "/api/info") == 404
        assert await ask_unix(path, "GET", "/health") == 404
        assert (await ask(f"{server.url}/health")).status == 200
        server.stop()
        await client.wait_closed()
        assert client.close_code == 3001
    assert mode_of(path) is None


async def test_a_socket_left_behind_is_replaced_and_one_in_use_is_not(launch: Launcher, path: Path) -> None:
    config = {"fanjet": {"http_unix_socket": str(path), "http_unix_socket_mode": "0600"}}
    first = launch(config)
    with pytest.raises(RuntimeError, match=f"listen unix {path}: bind: Address already in use"):
        launch(config)
    assert await ask_unix(path, "GET", "/connection/websocket") == 400
    assert first.process is not None
    first.process.kill()
    first.process.wait()
    first.process = None
    assert mode_of(path) is not None
    launch(config)
    assert mode_of(path) == 0o600
    assert await ask_unix(path, "GET", "/connection/websocket") == 400


def test_permissions_must_be_octal(launch: Launcher, path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"fanjet\.http_unix_socket_mode: .*432.* must be octal"):
        launch({"fanjet": {"http_unix_socket": str(path), "http_unix_socket_mode": 432}})


class Activated(Server):
    """A server that finds sockets open, as systemd would have opened them."""

    def __init__(self, config: Any, folder: Path, sockets: dict[str, socket.socket]) -> None:
        super().__init__(config, folder)
        descriptors = [each.fileno() for each in sockets.values()]
        above = max(descriptors) + len(descriptors)  # first to where they are not in each other's way
        moves = [f"exec {above + i}<&{fd}" for i, fd in enumerate(descriptors)]
        moves += [f"exec {3 + i}<&{above + i}" for i in range(len(descriptors))]
        self.words = ["bash", "-c", "; ".join([*moves, "export LISTEN_PID=$$", 'exec "$@"']), "bash", *self.words]
        self.environment |= {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(sockets)}
        self.descriptors = descriptors

    def start(self) -> None:
        """As without sockets, but that these listen before the server does."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.words,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                pass_fds=self.descriptors,
            )


@pytest.fixture
def activated(tmp_path: Path) -> Iterator[Any]:
    running: list[Activated] = []

    def start(config: Any, sockets: dict[str, socket.socket]) -> Activated:
        running.append(Activated(config, tmp_path, sockets))
        running[-1].start()
        return running[-1]

    yield start
    for each in running:
        each.stop()


def listening() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen()
    return made


async def test_sockets_of_systemd_are_used_by_name(activated: Any, path: Path) -> None:
    with listening() as external, listening() as internal, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        config = {
            "health": {"enabled": True},
            "http_server": {"port": free_port(), "internal_port": str(free_port())},
            "fanjet": {"http_unix_socket": str(path)},
        }
        server = activated(config, {"external": external, "internal": internal, "fanjet.socket": unix})
        ports = [each.getsockname()[1] for each in (external, internal)]
        assert (await ask(f"http://127.0.0.1:{ports[0]}/connection/websocket")).status == 400
        assert (await ask(f"http://127.0.0.1:{ports[1]}/health")).status == 200
        assert (await ask(f"http://127.0.0.1:{ports[0]}/health")).status == 404
        assert await ask_unix(path, "GET", "/connection/websocket") == 400
        await logged(server, f"serving websocket endpoints on 127.0.0.1:{ports[0]}")
        assert server.stop() == 0
        assert mode_of(path) is not None  # it is systemd's
        socket.create_connection(("127.0.0.1", ports[0])).close()  # and so are the others


async def test_a_socket_of_systemd_is_used_by_its_address(activated: Any) -> None:
    with listening() as one:
        port = one.getsockname()[1]
        activated({"http_server": {"port": port}}, {"fanjet.socket": one})
        assert (await ask(f"http://127.0.0.1:{port}/connection/websocket")).status == 400


@pytest.mark.parametrize("name", ["fanjet.socket", "internal"])
async def test_a_socket_for_nothing_keeps_the_server_from_starting(activated: Any, name: str) -> None:
    with listening() as one:
        server = activated({}, {name: one})
        assert await asyncio.to_thread(server.process.wait, 20) == 1
        server.process = None
        assert "belongs to no listener: name it external or internal" in server.log


async def test_the_service_manager_is_told(launch: Launcher, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(str(tmp_path / "notify"))
        hearing.settimeout(20)
        server = launch({}, NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert hearing.recv(100) == b"READY=1"
        os.kill(server.pid, signal.SIGHUP)
        assert hearing.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert hearing.recv(100) == b"READY=1"
        server.stop()
        assert hearing.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(("hard", "warned"), [(12_000, []), (500, ["the limit of open files is low"])])
async def test_the_limit_of_open_files_is_raised(tmp_path: Path, hard: int, warned: list[str]) -> None:
    server = Server({}, tmp_path)
    server.words = ["bash", "-c", f'ulimit -n {hard}; ulimit -Sn 256; exec "$@"', "bash", *server.words]
    server.start()
    assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    server.stop()
    assert [message.partition(",")[0] for message in warnings(server) if "open files" in message] == warned
