"""Starting and stopping the server under test."""

import os

import pytest

from fanjet.bench.certificate import issue
from fanjet.bench.clients.client import hello, open_client
from fanjet.bench.errors import BenchError
from fanjet.bench.processes.server import Spawned, on_cpus

ALL_CPUS = frozenset(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        pytest.param("no-such-command {config}", "cannot start no-such-command", id="missing"),
        pytest.param("{python} -c 'raise SystemExit(\"bad key\")'", "status 1:\nbad key", id="ends at once"),
    ],
)
async def test_a_server_that_does_not_start_is_reported_with_the_reason(command: str, problem: str) -> None:
    with pytest.raises(BenchError, match=problem):
        async with Spawned(command).running(ALL_CPUS):
            pytest.fail("it runs")


async def test_a_server_that_speaks_no_websocket_is_refused() -> None:
    async with Spawned("{python} -m http.server {port} --bind 127.0.0.1").running(ALL_CPUS) as server:
        with pytest.raises(BenchError, match=r"connection refused: b'HTTP/1\.0 404"):
            await open_client(server.address, hello("token"))


async def test_a_stopped_server_is_gone() -> None:
    async with Spawned("{python} -m http.server {port} --bind 127.0.0.1").running(ALL_CPUS) as server:
        pass
    with pytest.raises(BenchError, match="cannot connect"):
        await open_client(server.address, hello("token"))


def test_pinning_is_undone() -> None:
    first = frozenset((min(ALL_CPUS),))
    with on_cpus(first):
        assert os.sched_getaffinity(0) == first
    assert os.sched_getaffinity(0) == ALL_CPUS


async def test_only_the_certificate_of_the_server_that_was_started_is_trusted() -> None:
    async with Spawned("{python} -m fanjet -c {config}").running(ALL_CPUS, encrypted=True) as server:
        with pytest.raises(BenchError, match="CERTIFICATE_VERIFY_FAILED"):
            await open_client(server.address, hello("token"), certificate=issue())
        with pytest.raises(BenchError, match=r"closed by the server \(3500\)"):
            await open_client(server.address, hello("token"), certificate=server.certificate)
