"""Workers that hang are replaced, and none that does not."""

from __future__ import annotations

import asyncio
import signal
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from fanjet.workers import watch as module
from fanjet.workers.watch import ROUNDS, Watch
from tests.support.family import SLOW, Family, is_running
from tests.support.following import Publisher, following
from tests.support.server import Server, merge
from tests.support.waiting import until
from tests.support.wire_client import connected
from tests.workers.conftest import CONFIG, started
from tests.workers.test_endings import all_have, nothing_is_missing_or_twice

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
TIMEOUT_SECONDS = 3
"""A healthy worker on a busy machine answers within this."""


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


async def test_a_worker_whose_loop_is_stuck_tells_where(tmp_path: Path) -> None:
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


async def test_nobody_is_killed_for_the_time_that_all_were_stopped(private_server: StartServer) -> None:
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
    """A worker that answers only when the test says so."""

    title = "worker"

    def __init__(self, number: int) -> None:
        self.details = {"number": number}
        self.is_ready = True
        self.unanswered = 0
        self.killed = 0
        self.child = SimpleNamespace(pid=number, show_stacks=lambda: None, kill=self._kill)

    def ask(self) -> None:
        self.unanswered += 1

    def _kill(self) -> None:
        self.killed += 1


@pytest.fixture(autouse=True)
def _kills_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITING_SECONDS", 0.0)


async def look(workers: list[Hanging], times: int, *answering: Hanging) -> None:
    watch = Watch(lambda: cast("Any", workers), lambda: 1.0)
    for _ in range(times):
        watch.look(1.0)
        for worker in answering:
            worker.unanswered = 0
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_who_answers_in_the_end_is_left_alone() -> None:
    workers = [Hanging(1), Hanging(2)]
    await look(workers, ROUNDS - 1, workers[0])
    await look(workers, ROUNDS - 1, workers[1])
    await look(workers, 100, *workers)
    assert [worker.killed for worker in workers] == [0, 0]


async def test_of_all_that_hang_the_first_goes_first() -> None:
    workers = [Hanging(1), Hanging(2)]
    await look(workers, ROUNDS + 1)
    assert [worker.killed for worker in workers] == [1, 0]


async def test_when_all_hang_they_go_one_by_one() -> None:
    workers = [Hanging(1), Hanging(2), Hanging(3)]
    await look(workers, ROUNDS)
    assert sum(worker.killed for worker in workers) == 0
    await look(workers, 1)
    assert sum(worker.killed for worker in workers) == 1
    workers = [worker for worker in workers if not worker.killed]
    await look(workers, ROUNDS - 1)
    assert sum(worker.killed for worker in workers) == 0
    await look(workers, 1)
    assert sum(worker.killed for worker in workers) == 1


async def test_who_does_not_accept_connections_yet_or_any_more_is_not_asked() -> None:
    worker = Hanging(1)
    worker.is_ready = False
    await look([worker], 100)
    assert (worker.unanswered, worker.killed) == (0, 0)
