"""Prevents garbage collection from pausing the event loop (DESIGN rule 10)."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connections import Connections

THRESHOLDS = (10_000, 50, 10)
"""Allocations and collections per generation. The default (700) runs a young collection for every third connection of a
connect storm, a tenth of a connect's cost."""

GROWTH = 500
"""New connections since the last freeze that are worth another: collecting their objects takes 1 ms, those of a second
of a storm 20 ms."""


class GCTuner:
    """Freezes long-lived objects, so that they are not garbage collected.

    With 100 000 sessions a full collection takes 180 ms, freezing them 5 µs. Sessions are freed by reference
    counting alone.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._frozen_at = 0
        gc.set_threshold(*THRESHOLDS)
        gc.collect()
        gc.freeze()
        self._schedule_freeze()

    def check(self) -> None:
        """Adapt to closed connections; called about every second."""
        if len(self._connections) < self._frozen_at:
            self._schedule_freeze()

    def _schedule_freeze(self) -> None:
        self._frozen_at = len(self._connections)
        self._connections.on_count_reached(self._frozen_at + GROWTH, self._freeze)

    def _freeze(self) -> None:
        gc.collect(1)
        gc.freeze()
        self._schedule_freeze()
