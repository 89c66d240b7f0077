"""The engine that several workers share: within a test's own loop, or as a process that can be killed and paused."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fanjet.config import Config
from fanjet.engines.shared.process import serve
from fanjet.net.binding import bind_unix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder with a short name: that of a Unix socket has 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="fanjet"))
    yield folder
    shutil.rmtree(folder)


@asynccontextmanager
async def engine_within() -> AsyncIterator[str]:
    """The path of the socket of an engine in this loop."""
    with socket_folder() as folder:
        path = str(folder / "engine")
        serving = asyncio.create_task(serve(bind_unix(path, 0o600), Config()))
        await asyncio.sleep(0)
        yield path
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
