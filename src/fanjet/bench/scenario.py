"""The interface of a scenario."""

from typing import Protocol

from .environment import Environment
from .measurement.figures import Figure


class Scenario(Protocol):
    """A measurement on a server with `settings.server_settings`."""

    @property
    def name(self) -> str:
        """The scenario's name on the command line."""

    @property
    def summary(self) -> str:
        """A description in one line."""

    async def run(self, env: Environment) -> list[Figure]:
        """Measure once; the same figures in the same order every time.

        Raises `BenchError` if the server fails it.
        """
