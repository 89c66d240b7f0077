"""Scenarios on a server that has the Redis engine."""

import contextlib
from dataclasses import dataclass

from fanjet.bench.measurement.figures import Figure
from fanjet.bench.processes.redis import running_redis
from fanjet.bench.processes.restartable_node import running_node
from fanjet.bench.processes.server import free_port
from fanjet.bench.scenario import Scenario
from fanjet.bench.settings import server_settings
from fanjet.bench.environment import Stage


@dataclass(frozen=True, slots=True)
class OverRedis:
    """Another scenario, on a server that has a Redis of its own as engine."""

    scenario: Scenario
    from_elsewhere: bool = False
    """The API that the scenario calls is another node's, started alike, which shares the generator's processor."""

    @property
    def name(self) -> str:
        """See `Scenario.name`."""
        return f"redis-{self.scenario.name}"

    @property
    def summary(self) -> str:
        """See `Scenario.summary`."""
        return f"{self.scenario.summary}; with the Redis engine"

    async def run(self, stage: Stage) -> list[Figure]:
        """Measure the server that the clients are on."""
        async with contextlib.AsyncExitStack() as stack:
            redis = await stack.enter_async_context(running_redis())
            server = await stack.enter_async_context(stage.another(redis.settings))
            if self.from_elsewhere:
                settings = {**server_settings(free_port()), **redis.settings}
                server.api_address = (await stack.enter_async_context(running_node(stage.command, settings))).address
            return await self.scenario.run(server)
