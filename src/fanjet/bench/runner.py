"""Runs scenarios on one server or on two in turn."""

import asyncio
import gc
import os
import resource
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .errors import BenchError, NotAvailable
from .measurement.figures import Figure
from .processes.server import Server
from .scenarios import ENCRYPTED, KERNEL, SENDER, Scenario
from .environment import Scale, Stage

SIDES: Final = ("server", "peer")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    scenarios: Sequence[Scenario]
    servers: Sequence[Server]
    """One, or two to compare; in the order of `SIDES`."""
    rounds: int
    scale: Scale
    yardstick: bool = True
    """Measure the kernel's limit first."""
    pin: bool = False
    """Keep the servers on the first processor and the generator on the second, where there are two."""


@dataclass(slots=True)
class Outcome:
    """What came out of one scenario on one server: figures of every round, or why there are none."""

    rounds: list[list[Figure]] = field(default_factory=list)
    error: str = ""
    unavailable: str = ""

    def figures(self) -> list[Figure]:
        """Return the median of each figure over the rounds."""
        return [
            Figure(same[0].name, statistics.median(figure.value for figure in same), same[0].unit)
            for same in zip(*self.rounds, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Result:
    """A scenario's outcomes, one per server."""

    scenario: Scenario
    outcomes: list[Outcome]


async def run_plan(plan: Plan, progress: Callable[[str], None]) -> list[Result]:
    """Run the kernel's limit, then every scenario, the servers in turn within each; announce steps to `progress`."""
    _raise_file_limit()
    available = frozenset(os.sched_getaffinity(0))
    server_cpus, own_cpus = _split(available) if plan.pin else (available, available)
    os.sched_setaffinity(0, own_cpus)
    try:
        jobs: list[tuple[Scenario, Sequence[Server]]] = [(scenario, plan.servers) for scenario in plan.scenarios]
        if plan.yardstick:
            jobs.insert(0, (KERNEL, [SENDER]))
        return [await _run_scenario(scenario, servers, plan, server_cpus, progress) for scenario, servers in jobs]
    finally:
        os.sched_setaffinity(0, available)


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _split(available: frozenset[int]) -> tuple[frozenset[int], frozenset[int]]:
    if len(available) < 2:
        return available, available
    first, second, *_ = sorted(available)
    return frozenset((first,)), frozenset((second,))


async def _run_scenario(
    scenario: Scenario, servers: Sequence[Server], plan: Plan, cpus: frozenset[int], progress: Callable[[str], None]
) -> Result:
    """Alternate between the servers, so that what disturbs the machine for a while disturbs both."""
    outcomes = [Outcome() for _ in servers]
    for number in range(plan.rounds):
        for side, server, outcome in zip(SIDES, servers, outcomes, strict=False):
            if outcome.error or outcome.unavailable:
                continue
            progress(f"{scenario.name}, {side}, round {number + 1} of {plan.rounds}")
            try:
                outcome.rounds.append(await _run_once(scenario, server, plan.scale, cpus))
            except NotAvailable as reason:
                outcome.unavailable = str(reason)
                progress(f"{scenario.name}, {side}: not available: {reason}")
            except BenchError as error:
                outcome.error = str(error)
                progress(f"{scenario.name}, {side} failed: {error}")
                outcome.rounds.clear()
    return Result(scenario, outcomes)


async def _run_once(scenario: Scenario, server: Server, scale: Scale, cpus: frozenset[int]) -> list[Figure]:
    async with server.running(cpus, encrypted=scenario in ENCRYPTED) as running:
        stage = Stage(running, scale, lambda own: server.running(cpus, own=own))
        gc.collect()
        gc.disable()  # a collection in the generator would show up as latency of the server
        try:
            return await scenario.run(stage)
        finally:
            gc.enable()
            await stage.close()
            await asyncio.sleep(0)
