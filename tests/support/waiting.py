"""Waiting for what another process does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 10.0
PAUSE = 0.01


async def until(condition: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail if it does not within so many seconds."""
    async with asyncio.timeout(patience):
        while not await condition():  # noqa: ASYNC110 - another process cannot set an event here
            await asyncio.sleep(PAUSE)
