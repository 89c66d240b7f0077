from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from fanjet.node.connections import Connections
from fanjet.node.gc_tuning import GROWTH, GCTuner

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def come(connections: Connections, count: int) -> list[SimpleNamespace]:
    first = len(connections)
    sessions = [SimpleNamespace(client_id=str(first + n), user=str(first + n), session_id="") for n in range(count)]
    for session in sessions:
        connections.add(session)
    return sessions


def test_objects_of_connections_are_frozen_after_growth() -> None:
    connections = Connections()
    GCTuner(connections)
    frozen = [gc.get_freeze_count()]
    for _ in range(3):
        come(connections, GROWTH - 1)
        assert gc.get_freeze_count() <= frozen[-1]
        come(connections, 1)
        frozen.append(gc.get_freeze_count())
    assert frozen == sorted(frozen)
    assert frozen[-1] >= frozen[0] + 3 * GROWTH


def test_growth_counts_from_the_remaining_connections() -> None:
    connections = Connections()
    guard = GCTuner(connections)
    for session in come(connections, GROWTH):
        connections.remove(session)
    guard.check()
    frozen = gc.get_freeze_count()
    come(connections, GROWTH)
    assert gc.get_freeze_count() > frozen
