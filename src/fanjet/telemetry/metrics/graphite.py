"""Sends metrics to Graphite periodically (10 C)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from .flat_names import DeltaReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .flat_names import FlatMetric
    from .source import Source

TIMEOUT: Final = 1.0
"""Timeout in seconds for connecting and sending."""


class GraphiteExporter:
    """Opens a connection for each export.

    Metrics that cannot be sent are dropped silently.
    """

    def __init__(
        self,
        source: Source,
        *,
        host: str,
        port: int,
        prefix: str,
        node: str,
        interval: float,
        tags: bool,
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`refresh` is awaited before the metrics are read."""
        self._deltas = DeltaReader(source)
        self._refresh = refresh
        self._host = host
        self._port = port
        self._path = f"{prefix.removesuffix('.')}.{path_component(node)}"
        self._interval = interval
        self._tags = tags
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; the first export is after one interval."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop exporting."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            if self._refresh is not None:
                await self._refresh()
            lines = self.lines(int(time.time()))
            with contextlib.suppress(OSError, TimeoutError):
                await self._send(lines)

    async def _send(self, lines: bytes) -> None:
        async with asyncio.timeout(TIMEOUT):
            _, writer = await asyncio.open_connection(self._host, self._port)
            try:
                writer.write(lines)
                await writer.drain()
            finally:
                writer.close()
            await writer.wait_closed()

    def lines(self, now: int) -> bytes:
        """All metrics as of `now` (Unix seconds).

        Counters are the difference to the previous export.
        """
        return "".join(f"{self._metric_path(item)} {_value(item)} {now}\n" for item in self._deltas.read()).encode()

    def _metric_path(self, item: FlatMetric) -> str:
        if not self._tags:
            return f"{self._path}.{item.dotted}"
        return f"{self._path}.{item.name}" + "".join(f";{name}={value}" for name, value in item.labels)


def path_component(name: str) -> str:
    """A name as one path component: ASCII without dots."""
    return "".join(character if character.isascii() and character != "." else "_" for character in name)


def _value(item: FlatMetric) -> str:
    return str(int(item.value)) if item.is_integer else f"{item.value:.6f}"
