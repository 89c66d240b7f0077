"""A Redis for one run.

It runs on the generator's processor; its CPU time is not counted.
"""

import asyncio
import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..clients.client import TIMEOUT
from ..errors import BenchError, NotAvailable
from .restartable_node import RestartableNode
from .server import free_port

if TYPE_CHECKING:
    from ..settings import Settings

_CHANNELS: Final = re.compile(rb"^pubsub_channels:(\d+)\r$", re.MULTILINE)
_POLL_SECONDS: Final = 0.02


class Redis:
    """A running Redis."""

    def __init__(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.settings: Settings = {"engine": {"type": "redis", "redis": {"address": f"127.0.0.1:{port}"}}}
        """Settings of a server with this Redis as engine."""
        self._reader = reader
        self._writer = writer

    async def channels(self) -> int:
        """Return the number of channels with subscribers."""
        self._writer.write(b"INFO stats\r\n")
        size = await self._reader.readline()  # "$123"
        stats = await self._reader.readexactly(int(size[1:]) + 2)
        found = _CHANNELS.search(stats)
        assert found is not None, "every version reports it"
        return int(found[1])

    async def wait_for_channels(self, count: int) -> None:
        """Wait until there are `count` channels. Raises `BenchError`."""
        try:
            async with asyncio.timeout(TIMEOUT):
                while await self.channels() != count:  # noqa: ASYNC110 - Redis sends no event
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise BenchError(f"Redis has not {count} channels within {TIMEOUT:.0f} s") from error


@contextlib.asynccontextmanager
async def running_redis() -> AsyncIterator[Redis]:
    """Run the installed Redis on a free port during the block.

    Raises `NotAvailable` if it is not installed.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        quiet = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
        server = RestartableNode([_binary(), *quiet], port, Path(folder))
        try:
            await server.start()
            reader, writer = await asyncio.open_connection(*server.address)
            with contextlib.closing(writer):
                yield Redis(port, reader, writer)
        finally:
            await server.kill()


def _binary() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise NotAvailable("there is no redis-server on the PATH")
    return found
