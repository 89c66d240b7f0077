"""A memory broker with a manual clock."""

from dataclasses import dataclass

import pytest

from fanjet.engines.interfaces import BrokerEvents
from fanjet.engines.memory import MemoryBroker


@dataclass
class Clock:
    """Unix seconds."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Engine:
    """The broker and its clock."""

    broker: MemoryBroker
    clock: Clock

    def pass_time(self, seconds: float) -> None:
        """Move the clock and sweep."""
        self.clock.now += seconds
        self.broker.sweep()


@pytest.fixture
def engine(events: BrokerEvents) -> Engine:
    clock = Clock()
    return Engine(MemoryBroker(events, clock=clock, history_meta_ttl=1000), clock)
