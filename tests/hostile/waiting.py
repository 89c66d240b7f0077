"""Waiting for what happens in another process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.hostile.raw import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again: nothing tells us."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
