"""Tasks that start eagerly, for code that needs a current task."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest

from fanjet.net.aio import run_eagerly, run_in_task

VARIABLE: ContextVar[str] = ContextVar("variable", default="unset")


async def test_what_does_not_wait_ends_at_once() -> None:
    async def work() -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    outcomes: list[Any] = []
    assert run_eagerly(run_in_task(work(), set()), lambda result, error: outcomes.append((result, error))) is None
    (task, error), outer = outcomes[0], asyncio.current_task()
    assert isinstance(task, asyncio.Task)
    assert error is None
    assert task is not outer
    await asyncio.sleep(0)
    assert asyncio.current_task() is outer


async def test_the_task_stays_the_same_and_so_does_the_context() -> None:
    waiting: set[asyncio.Task[Any]] = set()

    async def work() -> bool:
        before, token = asyncio.current_task(), VARIABLE.set("inside")
        for pause in (0, 0.001):
            await asyncio.sleep(pause)
            assert waiting == {before}
        assert VARIABLE.get() == "inside"
        VARIABLE.reset(token)
        return asyncio.current_task() is before

    assert await run_in_task(work(), waiting)
    assert VARIABLE.get() == "unset"
    assert not waiting


async def test_timeouts_work_from_the_first_step_on() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        return "not timed out"

    assert await run_in_task(work(), set()) == "timed out"


@pytest.mark.parametrize("pause", [None, 0, 0.001])
async def test_failures_come_out(pause: float | None) -> None:
    async def work() -> None:
        if pause is not None:
            await asyncio.sleep(pause)
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await run_in_task(work(), set())


async def test_cancelling_who_waits_cancels_the_work() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiter = asyncio.create_task(run_in_task(work(), set()))
    await begun.wait()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert ended.is_set()


async def test_a_task_that_is_cancelled_before_it_waits_for_the_loop_can_clean_up() -> None:
    waiting: set[asyncio.Task[Any]] = set()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    outcomes: list[BaseException | None] = []
    outer = run_eagerly(run_in_task(work(), waiting), lambda _, error: outcomes.append(error))
    assert outer is not None
    for task in waiting:
        task.cancel()
    await outer
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert ended.is_set()
