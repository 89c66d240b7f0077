"""Runs scenarios on one server, or alternately on two."""

import asyncio
import gc
import os
import resource
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .environment import Environment, Scale
from .errors import BenchError, NotAvailable
from .measurement.figures import Figure
from .processes.server import Server
from .scenarios import ENCRYPTED, KERNEL, SEND_LOOP, Scenario

SIDES: Final = ("server", "peer")


@dataclass(frozen=True, slots=True)
class Plan:
    """The scenarios to run, and how."""

    scenarios: Sequence[Scenario]
    servers: Sequence[Server]
    """One, or two to compare; in the order of `SIDES`."""
    rounds: int
    scale: Scale
    measure_kernel: bool = True
    """Measure the kernel baseline first."""
    pin: bool = False
    """Pin servers to the first processor and the generator to the second, if there are two."""


@dataclass(slots=True)
class Outcome:
    """The result of a scenario on one server.

    It has the figures of every round, or the reason why there are none.
    """

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
    """Run the kernel baseline, then every scenario.

    The runs alternate between servers; steps are reported to `progress`.
    """
    _raise_file_limit()
    available = frozenset(os.sched_getaffinity(0))
    server_cpus, own_cpus = _split(available) if plan.pin else (available, available)
    os.sched_setaffinity(0, own_cpus)
    try:
        jobs: list[tuple[Scenario, Sequence[Server]]] = [(scenario, plan.servers) for scenario in plan.scenarios]
        if plan.measure_kernel:
            jobs.insert(0, (KERNEL, [SEND_LOOP]))
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
    """Run a scenario, alternating between the servers.

    A temporary disturbance of the machine thus affects both.
    """
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
        env = Environment(running, scale, lambda overrides: server.running(cpus, overrides=overrides))
        gc.collect()
        gc.disable()  # a collection in the generator would show up as latency of the server
        try:
            return await scenario.run(env)
        finally:
            gc.enable()
            await env.close()
            await asyncio.sleep(0)
