"""Workers of one engine, in the test's event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from fanjet.engines.memory_server import EngineClient, SharedBroker, SharedController, SharedPresenceManager
from tests.engines.conftest import Recorder
from tests.support.shared_engine import engine_within, socket_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@dataclass
class Worker:
    """A worker's client of the engine, with broker, presence manager and controller."""

    client: EngineClient
    events: Recorder
    broker: SharedBroker
    presence: SharedPresenceManager
    controller: SharedController
    control: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def working(path: str, node: str = "me", *, last_will: bytes = b"") -> AsyncIterator[Worker]:
    """A connected worker; its parts start in the same order as those of a node."""
    client, events = EngineClient(path, node), Recorder()
    worker = Worker(
        client, events, SharedBroker(client, events), SharedPresenceManager(client), SharedController(client)
    )
    worker.controller.register_last_will(last_will)
    engines = (worker.broker, worker.presence, worker.controller)
    try:
        await worker.controller.start(worker.control.append)
        await worker.broker.start()
        await worker.presence.start()
        yield worker
    finally:
        for part in engines:
            await part.close()


@pytest.fixture
async def engine() -> AsyncIterator[str]:
    """The path of an engine's socket."""
    async with engine_within() as path:
        yield path


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for sockets."""
    with socket_folder() as path:
        yield path
