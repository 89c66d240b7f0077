"""Wraps scenarios to run on a server with the Redis engine."""

import contextlib
from dataclasses import dataclass

from fanjet.bench.environment import Environment
from fanjet.bench.measurement.figures import Figure
from fanjet.bench.processes.redis import running_redis
from fanjet.bench.processes.restartable_node import running_node
from fanjet.bench.processes.server import free_port
from fanjet.bench.scenario import Scenario
from fanjet.bench.settings import server_settings


@dataclass(frozen=True, slots=True)
class RedisScenario:
    """Another scenario on a server with its own Redis as engine."""

    scenario: Scenario
    publish_on_other_node: bool = False
    """Call the API of another node with the same settings, which runs on the generator's processor."""

    @property
    def name(self) -> str:
        """See `Scenario.name`."""
        return f"redis-{self.scenario.name}"

    @property
    def summary(self) -> str:
        """See `Scenario.summary`."""
        return f"{self.scenario.summary}; with the Redis engine"

    async def run(self, env: Environment) -> list[Figure]:
        """Measure the server with the clients."""
        async with contextlib.AsyncExitStack() as stack:
            redis = await stack.enter_async_context(running_redis())
            server = await stack.enter_async_context(env.with_server(redis.settings))
            if self.publish_on_other_node:
                settings = {**server_settings(free_port()), **redis.settings}
                server.api_address = (await stack.enter_async_context(running_node(env.command, settings))).address
            return await self.scenario.run(server)
