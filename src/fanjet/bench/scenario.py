"""What a scenario is."""

from typing import Protocol

from .measurement.figures import Figure
from .environment import Stage


class Scenario(Protocol):
    """Something to measure on a server that runs on `settings.server_settings`."""

    @property
    def name(self) -> str:
        """What the scenario is called on the command line."""

    @property
    def summary(self) -> str:
        """What it does, in one line."""

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure once; the same figures in the same order every time. Raises `BenchError` if the server fails it."""
