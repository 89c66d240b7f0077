"""Disconnects clients gradually, to spread their reconnects over time."""

from __future__ import annotations

import asyncio
from math import ceil
from typing import TYPE_CHECKING, Final

from fanjet.protocol.codes import DISCONNECT_SHUTDOWN
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from .connections import Connections

INTERVAL: Final = 0.02
"""Seconds between two batches."""

log = get_logger(__name__)


async def drain(connections: Connections, seconds: float) -> None:
    """Disconnect all with 3001, spread evenly over `seconds`.

    Returns as soon as none is left.
    """
    waiting = connections.all()
    count = len(waiting)
    log.info("draining", connections=count, seconds=seconds)
    loop = asyncio.get_running_loop()
    began = loop.time()
    while waiting and len(connections):
        due = min(count, ceil(count * (loop.time() - began) / seconds))
        while count - len(waiting) < due:
            waiting.pop().disconnect(DISCONNECT_SHUTDOWN)
        await asyncio.sleep(INTERVAL)
