"""Workers that hang are replaced, and no others."""

from __future__ import annotations

import asyncio
import signal
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from fanjet.workers.watchdog import MAX_UNANSWERED, START_SECONDS, Watchdog
from tests.support.family import SLOW, Family, is_running
from tests.support.following import Publisher, following
from tests.support.server import Server, merge
from tests.support.waiting import until
from tests.support.wire_client import connected
from tests.workers.conftest import CONFIG, started
from tests.workers.test_crashes import all_have, nothing_is_missing_or_twice

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartServer

HANGS = "worker does not answer, killing it"
STUCK_PROGRAM = """
import sys
import fanjet

server = fanjet.Server(sys.argv[1])


@server.rpc("wait")
async def never_returns(event):
    while True:
        pass


sys.exit(server.run())
"""
HANGING_PROGRAM = """
import json
import os
import pathlib
import signal
import sys
import fanjet
from fanjet.workers import watchdog

watchdog.START_SECONDS = 6.0
role = json.loads(os.environ.get("_FANJET_ROLE", "{}"))
hung = pathlib.Path(sys.argv[1]).with_name("hung")
if role.get("type") == sys.argv[2] and not hung.exists():
    hung.touch()
    signal.pause()
sys.exit(fanjet.Server(sys.argv[1]).run())
"""
TIMEOUT_SECONDS = 3
"""A healthy worker on a busy machine replies within this time."""


async def test_a_worker_that_hangs_is_replaced(private_server: StartServer, name: str) -> None:
    server = await started(private_server, {"fanjet": {"worker_timeout": f"{TIMEOUT_SECONDS}s"}})
    family = Family(server)
    hanging = family.worker(1)
    async with following(server, name, 8) as followers:
        family.kill(hanging, signal.SIGSTOP)
        await family.logged(HANGS)
        await family.logged("serving", 3)
        assert not is_running(hanging)
        publisher = Publisher(server, name)
        await publisher.publish()
        await all_have(publisher, followers)
    nothing_is_missing_or_twice(followers)
    assert '"signal SIGKILL"' in server.log


async def test_a_worker_with_a_stuck_loop_writes_its_stacks(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(STUCK_PROGRAM)
    timeout = {"fanjet": {"worker_timeout": f"{TIMEOUT_SECONDS}s"}}
    server = Server(merge(CONFIG, timeout), tmp_path)
    server.words = [sys.executable, str(program), str(tmp_path / "config.json")]
    await asyncio.to_thread(server.start)
    try:
        family = Family(server)
        await family.complete()
        async with connected(server) as client:
            await client.send({"id": 2, "rpc": {"method": "wait", "data": {}}})
            await family.logged(HANGS)
            await family.logged("serving", 3)
        assert "in never_returns" in server.log
    finally:
        await asyncio.to_thread(server.stop)


@pytest.mark.parametrize("hanging", ["engine", "worker"])
async def test_a_process_that_hangs_while_starting_is_replaced(tmp_path: Path, hanging: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(HANGING_PROGRAM)
    server = Server(merge(CONFIG, {"fanjet": {"worker_timeout": f"{TIMEOUT_SECONDS}s"}}), tmp_path)
    server.words = [sys.executable, str(program), str(tmp_path / "config.json"), hanging]
    await asyncio.to_thread(server.start)
    try:
        family = Family(server)
        await family.complete()
        assert f"{hanging} does not come up, killing it" in server.log
        assert set(family.workers()) == {1, 2}
        assert (await server.api("info"))["nodes"]
    finally:
        await asyncio.to_thread(server.stop)


async def test_an_engine_that_hangs_is_replaced(private_server: StartServer, name: str) -> None:
    server = await started(private_server, {"fanjet": {"worker_timeout": f"{TIMEOUT_SECONDS}s"}})
    family, publisher = Family(server), Publisher(server, name)
    hanging, workers = family.engine(), family.workers()
    async with following(server, name, 4) as followers:
        await publisher.publish()
        await all_have(publisher, followers)
        family.kill(hanging, signal.SIGSTOP)
        await family.logged("engine does not answer, killing it")

        async def have_begun_anew() -> bool:
            return all(follower.unrecovered for follower in followers)

        await until(have_begun_anew, SLOW)
        assert not is_running(hanging)
        await publisher.publish()
        await all_have(publisher, followers)
    assert family.engine() not in (0, hanging)
    assert family.workers() == workers


async def test_time_while_all_processes_are_stopped_does_not_count(private_server: StartServer) -> None:
    server = await started(private_server, {"fanjet": {"worker_timeout": "2s"}})
    family = Family(server)
    before = family.workers()
    stopped = [family.parent, *family.pids()]
    for pid in stopped:
        family.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(3.0)  # which is what they must not take for silence
    for pid in reversed(stopped):
        family.kill(pid, signal.SIGCONT)
    await server.api("info")
    assert "does not answer" not in server.log
    assert family.workers() == before


class Hanging:
    """A worker that replies only when the test does."""

    title = "worker"

    def __init__(self, number: int) -> None:
        self.details = {"number": number}
        self.is_ready = True
        self.is_starting = False
        self.unanswered_pings = 0
        self.killed = 0
        self.child = SimpleNamespace(pid=number, kill_hung=self._kill)

    def ping(self) -> None:
        self.unanswered_pings += 1

    def _kill(self) -> None:
        self.killed += 1


def check(workers: list[Hanging], times: int, *answering: Hanging, timeout: float = 1.0) -> None:
    watchdog = Watchdog(lambda: cast("Any", workers), lambda: timeout)
    for _ in range(times):
        watchdog.check(timeout)
        for worker in answering:
            worker.unanswered_pings = 0


def test_a_late_reply_prevents_the_kill() -> None:
    workers = [Hanging(1), Hanging(2)]
    check(workers, MAX_UNANSWERED - 1, workers[0])
    check(workers, MAX_UNANSWERED - 1, workers[1])
    check(workers, 100, *workers)
    assert [worker.killed for worker in workers] == [0, 0]


def test_the_first_of_several_hanging_workers_is_killed() -> None:
    workers = [Hanging(1), Hanging(2)]
    check(workers, MAX_UNANSWERED + 1)
    assert [worker.killed for worker in workers] == [1, 0]


def test_hanging_workers_are_killed_one_by_one() -> None:
    workers = [Hanging(1), Hanging(2), Hanging(3)]
    check(workers, MAX_UNANSWERED)
    assert sum(worker.killed for worker in workers) == 0
    check(workers, 1)
    assert sum(worker.killed for worker in workers) == 1
    workers = [worker for worker in workers if not worker.killed]
    check(workers, MAX_UNANSWERED - 1)
    assert sum(worker.killed for worker in workers) == 0
    check(workers, 1)
    assert sum(worker.killed for worker in workers) == 1


def test_an_exiting_worker_is_not_pinged() -> None:
    worker = Hanging(1)
    worker.is_ready = False
    check([worker], 100)
    assert (worker.unanswered_pings, worker.killed) == (0, 0)


@pytest.mark.parametrize("timeout", [START_SECONDS / 10, START_SECONDS, START_SECONDS * 2])
def test_starting_workers_have_a_longer_timeout(timeout: float) -> None:
    starting, answering, hanging = workers = [Hanging(1), Hanging(2), Hanging(3)]
    starting.is_ready, starting.is_starting = False, True
    in_vain = round(MAX_UNANSWERED * max(1.0, START_SECONDS / timeout))
    check(workers, in_vain, answering, hanging, timeout=timeout)
    assert starting.killed == 0
    check(workers, 1, answering, hanging, timeout=timeout)
    assert starting.killed == 1
    starting.is_starting = False
    check(workers, MAX_UNANSWERED + 1, answering, timeout=timeout)
    assert (starting.killed, answering.killed, hanging.killed) == (1, 0, 1)
