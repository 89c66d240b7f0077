"""Unexpected ends of workers, the engine and the supervisor (issue: a crashed worker is restarted)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from resource import RLIMIT_NOFILE, prlimit
from typing import TYPE_CHECKING, Any

from fanjet.workers.child import Child
from tests.support.family import SLOW, Family, is_running
from tests.support.following import Follower, Publisher, following, running
from tests.support.metrics import scrape
from tests.support.server import merge
from tests.support.waiting import until
from tests.support.wire_client import connected
from tests.workers.conftest import CONFIG, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.conftest import StartServer
    from tests.support.server import Server

FOLLOWERS = 16


async def all_have(publisher: Publisher, followers: list[Follower]) -> None:
    """Wait until all followers have received all acknowledged publications."""

    async def arrived() -> bool:
        return all(set(publisher.acknowledged) <= set(follower.got) for follower in followers)

    await until(arrived, SLOW)


def nothing_is_missing_or_twice(followers: list[Follower]) -> None:
    for follower in followers:
        assert not follower.unrecovered
        assert follower.got == sorted(set(follower.got))


async def test_a_killed_worker_is_restarted_and_its_clients_miss_nothing(own: Server, name: str) -> None:
    family = Family(own)
    publisher = Publisher(own, name)
    async with following(own, name, FOLLOWERS) as followers:
        async with running(publisher.run()):
            for number in (1, 2):
                victim = family.worker(number)
                family.kill(victim)

                async def replaced(number: int = number, victim: int = victim) -> bool:
                    return family.workers().get(number, {victim}) != {victim}

                await until(replaced, SLOW)
                await family.logged("serving", 2 + number)
        await all_have(publisher, followers)
    nothing_is_missing_or_twice(followers)
    assert sum(follower.connections for follower in followers) >= 2 * FOLLOWERS
    assert own.log.count("worker has ended, starting another") == 2


async def test_counters_of_killed_workers_are_retained(own: Server, name: str) -> None:
    family = Family(own)
    async with connected(own) as client:
        await client.subscribe(name)
        for number in range(8):
            await own.api("publish", {"channel": name, "data": number})
    before = (await scrape(own)).value("api_command_duration_seconds_count", method="publish")
    assert before == 8
    for number in (1, 2):
        family.kill(family.worker(number))
        await family.logged("serving", 2 + number)
    page = await scrape(own)
    assert page.value("api_command_duration_seconds_count", method="publish") == before
    assert page.value("node_num_clients") == 0


async def test_a_terminated_worker_is_restarted(own: Server, name: str) -> None:
    family = Family(own)
    async with following(own, name, FOLLOWERS) as followers:
        publisher = Publisher(own, name)
        family.kill(family.worker(1), signal.SIGTERM)
        await family.logged("serving", 3)
        await publisher.publish()
        await all_have(publisher, followers)
    nothing_is_missing_or_twice(followers)


async def test_a_worker_killed_while_starting_is_restarted(private_server: StartServer, engine: dict[str, Any]) -> None:
    server = private_server(merge(CONFIG, merge(engine, {"fanjet": {"workers": 4}})))
    family = Family(server)

    async def is_starting() -> bool:
        return 4 in family.workers()

    await until(is_starting, SLOW)
    family.kill(family.worker(4))
    family.kill(family.parent, signal.SIGUSR2)  # which waits until all have been started
    await family.complete()
    assert server.log.count("worker has ended, starting another") == 1
    await family.logged("rolling restart is done")
    assert len((await server.api("info"))["nodes"]) == 4


@contextlib.contextmanager
def without_room(pid: int) -> Iterator[None]:
    """Let a process open no more files, so that it cannot start processes."""
    before = prlimit(pid, RLIMIT_NOFILE)
    prlimit(pid, RLIMIT_NOFILE, (3, before[1]))
    yield
    prlimit(pid, RLIMIT_NOFILE, before)


async def test_restarts_are_retried_while_the_system_lacks_resources(own: Server) -> None:
    family = Family(own)
    before, engine = family.workers(), family.engine()
    with without_room(family.parent):
        if engine:
            family.kill(engine)
            await family.logged("cannot start the engine")
        family.kill(family.worker(2))
        await family.logged("cannot start a worker", 2)
        assert family.workers() == {1: before[1]}
    await family.logged("serving", 3)

    async def all_is_well() -> bool:
        return bool(family.engine()) == bool(engine) and len((await own.api("info"))["nodes"]) == 2

    await until(all_is_well, SLOW)


async def test_a_killed_engine_is_restarted_with_new_epochs(private_server: StartServer, name: str) -> None:
    server = await started(private_server, {"engine": {"type": "memory"}})
    family = Family(server)
    publisher = Publisher(server, name)
    async with following(server, name, FOLLOWERS) as followers:
        await publisher.publish()
        await all_have(publisher, followers)
        killed = family.engine()
        family.kill(killed)

        async def all_know() -> bool:
            await publisher.publish()
            return all(follower.unrecovered for follower in followers)

        await until(all_know, SLOW)
        assert family.engine() not in {0, killed}
        last = Publisher(server, name)
        last._number = 1_000_000
        await last.publish()
        await all_have(last, followers)
    assert "engine has ended, starting another" in server.log


async def test_the_engine_ignores_signals(private_server: StartServer, name: str) -> None:
    server = await started(private_server, {"engine": {"type": "memory"}})
    family = Family(server)
    engine = family.engine()
    first = await server.api("publish", {"channel": name, "data": 1})
    for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM):
        family.kill(engine, number)
        history = await server.api("history", {"channel": name})
        assert (history["epoch"], history["offset"]) == (first["epoch"], first["offset"])
    assert family.engine() == engine


async def test_workers_and_files_are_cleaned_up_when_the_supervisor_is_killed(
    private_server: StartServer, engine: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    own = await started(private_server, engine)
    family = Family(own)
    pids = family.pids()
    assert len(pids) in {2, 3}
    assert os.listdir(tmp_path)
    async with connected(own) as client:
        family.kill(family.parent)
        assert await client.closed() == (3001, "shutdown")

        async def all_gone() -> bool:
            return not any(map(is_running, pids))

        await until(all_gone, SLOW)
    assert not os.listdir(tmp_path)
    assert own.process is not None
    await asyncio.to_thread(own.process.wait)
    own.start()  # the addresses are free
    await Family(own).complete(2)


async def test_the_engine_exits_after_the_last_worker(private_server: StartServer, name: str) -> None:
    over: dict[str, Any] = {"engine": {"type": "memory"}, "fanjet": {"drain_time": "1s"}}
    server = await started(private_server, over)
    family = Family(server)
    engine = family.engine()
    async with connected(server) as first, connected(server) as second:
        for client in (first, second):
            await client.subscribe(name)
        family.kill(family.parent)
        assert {(await client.closed())[0] for client in (first, second)} == {3001}

        async def gone() -> bool:
            return not is_running(engine)

        await until(gone, SLOW)
    assert "cannot be reached" not in server.log
    assert server.process is not None
    await asyncio.to_thread(server.process.wait)


async def test_a_process_that_does_not_exit_is_killed_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    child = Child(await asyncio.create_subprocess_exec(sys.executable, "-c", "import signal; signal.pause()"))
    assert await child.wait_exited(0.05) == -signal.SIGKILL
    assert [record.getMessage() for record in caplog.records] == ["process does not end, killing it"]
    assert not is_running(child.pid)
