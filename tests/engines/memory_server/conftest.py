"""Workers of one engine, in the loop of the test."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from fanjet.engines.memory_server import EngineLink, SharedBroker, SharedController, SharedPresenceManager
from tests.engines.conftest import Recorder
from tests.support.shared_engine import engine_within, socket_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@dataclass
class Worker:
    """What a node has of the engine."""

    link: EngineLink
    events: Recorder
    broker: SharedBroker
    presence: SharedPresenceManager
    controller: SharedController
    control: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def working(path: str, node: str = "me", *, last_will: bytes = b"") -> AsyncIterator[Worker]:
    """A worker, connected in the order in which nodes do it."""
    link, events = EngineLink(path, node), Recorder()
    worker = Worker(link, events, SharedBroker(link, events), SharedPresenceManager(link), SharedController(link))
    worker.controller.register_last_will(last_will)
    parts = (worker.broker, worker.presence, worker.controller)
    try:
        await worker.controller.start(worker.control.append)
        await worker.broker.start()
        await worker.presence.start()
        yield worker
    finally:
        for part in parts:
            await part.close()


@pytest.fixture
async def engine() -> AsyncIterator[str]:
    """The path of the socket of an engine."""
    async with engine_within() as path:
        yield path


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for sockets."""
    with socket_folder() as path:
        yield path
