"""Every scenario, tiny, against a real server: this one, or the one that FANJET_BENCH_SERVER starts."""

import math
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from fanjet.bench.environment import Scale
from fanjet.bench.errors import NotAvailable
from fanjet.bench.processes.server import Attached, Spawned
from fanjet.bench.runner import Plan, run_plan
from fanjet.bench.scenarios import ENCRYPTED, KERNEL, ON_REDIS, SCENARIOS, Scenario
from tests.support.redis_binaries import old_binary

SERVER = Spawned(os.environ.get("FANJET_BENCH_SERVER", "{python} -m fanjet -c {config}"))
TINY = Scale(
    seconds=0.2, warm_up=0.05, idle_seconds=0.2, subscribers=50, connections=100, storm=50, encrypted=10, drain=0.5
)
ALWAYS_NONE = {"lost", "repeated", "not recovered"}


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS])
async def test_a_scenario_yields_figures(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    announced: list[str] = []
    if "webtransport" in scenario.name and find_spec("aioquic") is None:
        pytest.skip("the extra fanjet[http3] is not installed")
    if scenario.name == "drain" or scenario in ON_REDIS:
        monkeypatch.setenv("PATH", str(Path(old_binary()).parent), prepend=os.pathsep)
    [result] = await run_plan(Plan([scenario], [SERVER], 1, TINY, measure_kernel=False), announced.append)
    assert result.outcomes[0].error == result.outcomes[0].unavailable == ""
    figures = result.outcomes[0].figures()
    assert figures
    assert not [figure for figure in figures if math.isnan(figure.value)]
    assert not [figure for figure in figures if figure.name in ALWAYS_NONE and figure.value]
    assert announced == [f"{scenario.name}, server, round 1 of 1"]


async def test_the_kernel_baseline_is_measured_first_by_default() -> None:
    [kernel] = await run_plan(Plan([], [SERVER], 1, TINY), lambda _: None)
    assert kernel.scenario is KERNEL
    assert 0 < kernel.outcomes[0].figures()[0].value < 1000


async def test_a_running_server_is_measured_where_it_is() -> None:
    async with SERVER.running(frozenset(os.sched_getaffinity(0))) as running:
        attached = Attached(running.address, running.tree.pid)
        plan = Plan([SCENARIOS[0], ENCRYPTED[0]], [attached], 2, TINY, measure_kernel=False)
        plain, encrypted = [result.outcomes[0] for result in await run_plan(plan, lambda _: None)]
    assert len(plain.rounds) == 2
    assert (encrypted.rounds, encrypted.error) == ([], "")
    assert encrypted.unavailable == "a server that runs already is on settings without TLS"


async def test_a_running_server_gets_no_other_settings() -> None:
    attached = Attached(("127.0.0.1", 1), os.getpid())
    with pytest.raises(NotAvailable, match="has other settings of engine"):
        async with attached.running(frozenset((0,)), overrides={"engine": {"type": "redis"}}):
            pytest.fail("it is handed out")


async def test_scenarios_on_redis_are_not_available_without_redis(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [result] = await run_plan(Plan(ON_REDIS[:1], [SERVER], 1, TINY, measure_kernel=False), lambda _: None)
    assert (result.outcomes[0].unavailable, result.outcomes[0].error) == ("there is no redis-server on the PATH", "")


async def test_two_servers_take_turns_and_one_that_fails_does_not_stop_the_other() -> None:
    announced: list[str] = []
    servers = [SERVER, Spawned("no-such-command {config}")]
    [result] = await run_plan(Plan(SCENARIOS[:1], servers, 2, TINY, measure_kernel=False), announced.append)
    ours, peers = result.outcomes
    assert len(ours.rounds) == 2
    assert peers.error == "cannot start no-such-command: [Errno 2] No such file or directory: 'no-such-command'"
    assert [step.split(", ")[1] for step in announced if "round" in step] == ["server", "peer", "server"]
