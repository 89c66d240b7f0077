"""Publishing at a fixed rate."""

import asyncio

import pytest

from fanjet.bench.clients.http_api import INFO
from fanjet.bench.environment import FULL, Environment
from fanjet.bench.errors import BenchError
from fanjet.bench.workload.fixed_rate import ApiPool, run_at_rate
from tests.bench.test_scenarios import SERVER


async def test_the_rate_is_not_exceeded() -> None:
    assert 0 < await run_at_rate(1000, 0.2, lambda: True) <= 200


async def test_an_action_that_could_not_run_is_retried() -> None:
    refusals = iter([True, False, False, True])
    done = await run_at_rate(1000, 0.5, lambda: next(refusals, False))
    assert done == 2
    assert list(refusals) == []


async def test_a_connection_has_one_request_at_a_time_and_failures_are_raised() -> None:
    async with SERVER.running(frozenset((0,))) as running:
        env = Environment(running, FULL, lambda overrides: SERVER.running(frozenset((0,)), overrides=overrides))
        pool = ApiPool([await env.api() for _ in range(2)])
        assert [pool.request(INFO, b"{}") for _ in range(3)] == [True, True, False]
        async with asyncio.timeout(20):
            await pool.drain()
        assert pool.request(b"/api/nothing", b"{}")
        with pytest.raises(BenchError, match="the API answered 404"):
            await pool.drain()
        with pytest.raises(BenchError, match="the API answered 404"):
            pool.request(INFO, b"{}")
        await env.close()
