"""The memory engine of several workers: in the test's event loop, or as a process that can be killed and paused."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fanjet.config import Config
from fanjet.engines.memory_server.handshake import receive_descriptor, send_descriptor
from fanjet.engines.memory_server.messages import Ping, encode
from fanjet.engines.memory_server.process import serve
from fanjet.net.binding import bind_unix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

PROGRAM = """
import asyncio, socket, sys
from fanjet.config import Config
from fanjet.engines.memory_server.process import serve
asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), Config()))
"""


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder with a short path, since that of a Unix socket has 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="fanjet"))
    yield folder
    shutil.rmtree(folder)


@asynccontextmanager
async def engine_within() -> AsyncIterator[str]:
    """The path of the socket of an engine in this event loop."""
    with socket_folder() as folder:
        path = str(folder / "engine")
        async with engine_at(path):
            yield path


@asynccontextmanager
async def engine_at(path: str) -> AsyncIterator[None]:
    """An engine in this event loop. The socket file of a former one is replaced."""
    serving = asyncio.create_task(serve(bind_unix(path, 0o600), Config()))
    await asyncio.sleep(0)
    yield
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


class EngineProcess:
    """An engine process whose listening socket this process owns, as the supervisor does."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._listening = bind_unix(path, 0o600)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._listening.close()

    def start(self) -> None:
        """Start the engine; connections wait until it listens."""
        number = self._listening.fileno()
        self._listening.listen()
        self._process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(number)], pass_fds=[number])

    def wait_ready(self) -> None:
        """Wait until the engine replies."""
        with connect_raw(self.path) as raw:
            ping = encode([Ping()])
            raw.sendall(len(ping).to_bytes(4, "big") + ping)
            assert raw.recv(1)

    def kill(self) -> None:
        """Kill the engine; its memory is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Pause the engine."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the engine."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Wire:
    """A proxy between workers and an engine that can cut connections, after a number of bytes in either direction."""

    def __init__(self, path: str, target: str) -> None:
        self.path = path
        self._target = target
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._left: dict[str, int] = {}
        self._broken = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._forward, self.path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()
        await self._server.wait_closed()

    async def cut(self) -> None:
        """Cut every connection now."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def cut_after(self, direction: str, count: int) -> None:
        """Cut the connection that carries the byte of this number `out` to the engine or `back`."""
        self._left[direction] = count

    async def break_off(self) -> None:
        """Cut every connection, and refuse new ones."""
        self._broken = True
        await self.cut()

    def restore(self) -> None:
        """Accept connections again, and cut none."""
        self._broken = False
        self._left.clear()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        ends = [writer]
        try:
            if self._broken:
                raise _Cut
            far_reader, far = await self._reach_engine(writer)
            ends.append(far)
            pumps = self._pump("out", reader, far), self._pump("back", far_reader, writer)
            await asyncio.gather(*pumps)
        except (OSError, _Cut):
            pass
        finally:
            self._links.discard(link)
            for end in ends:
                end.transport.abort()

    async def _reach_engine(self, near: asyncio.StreamWriter) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Pass on the descriptor of the journal first, which asyncio streams cannot receive."""
        far = connect_raw(self._target)
        try:
            far.setblocking(False)
            descriptor = await receive_descriptor(far)
            with socket.socket(fileno=os.dup(near.get_extra_info("socket").fileno())) as raw:
                send_descriptor(raw, descriptor)
            os.close(descriptor)
            return await asyncio.open_unix_connection(sock=far)
        except BaseException:
            far.close()
            raise

    async def _pump(self, direction: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            left = self._left.get(direction)
            if left is not None and len(data) >= left:
                del self._left[direction]
                sink.write(data[:left])
                raise _Cut
            if left is not None:
                self._left[direction] = left - len(data)
            sink.write(data)
        raise _Cut


class _Cut(Exception):  # noqa: N818 (says what happened)
    """The connection has been cut, by one end or by the test."""


LOCK_HOLDER = """
import fcntl, os, sys, time
fcntl.flock(os.open("/proc/self/fd/" + sys.argv[1], os.O_RDWR), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


@contextmanager
def holding_lock(descriptor: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock of the journal until it is killed in the end."""
    command = [sys.executable, "-c", LOCK_HOLDER, str(descriptor)]
    with subprocess.Popen(command, pass_fds=[descriptor], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield holder
        finally:
            holder.kill()
            holder.wait()


def connect_raw(path: str) -> socket.socket:
    """A raw connection to an engine, for malformed messages."""
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(path)
    return raw
