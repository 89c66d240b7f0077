"""Every engine under one suite: an engine that joins adds its name and how it is opened."""

import pytest

from fanjet.engines.interfaces import Broker, BrokerEvents, PresenceManager
from fanjet.engines.memory import MemoryBroker, MemoryPresenceManager


@pytest.fixture(params=["memory"])
async def broker(request: pytest.FixtureRequest, events: BrokerEvents) -> Broker:
    """A broker with history, reporting to `events`, subscribed to `news` and `other`."""
    assert request.param == "memory"
    broker = MemoryBroker(events)
    await broker.subscribe("news")
    await broker.subscribe("other")
    return broker


@pytest.fixture(params=["memory"])
async def presence(request: pytest.FixtureRequest) -> PresenceManager:
    """An empty presence manager."""
    assert request.param == "memory"
    return MemoryPresenceManager()
