"""Many operations in one request: concurrent, in order, without blocking the event loop."""

import asyncio
import time

import pytest

from fanjet.net.time_slicing import MAX_IN_FLIGHT, SLICE, TimeSlice, run_all


async def test_what_does_not_wait_needs_no_task() -> None:
    async def job(number: int) -> int:
        return number

    before = asyncio.all_tasks()
    coroutine = run_all(job(number) for number in range(10))
    with pytest.raises(StopIteration) as finished:
        coroutine.send(None)
    assert finished.value.value == list(range(10))
    assert asyncio.all_tasks() == before


async def test_results_keep_the_order_of_the_jobs() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def job(number: int) -> int:
        await gates[number].wait()
        return number

    running = asyncio.create_task(run_all(job(number) for number in range(3)))
    for gate in reversed(gates):
        await asyncio.sleep(0)
        gate.set()
    assert await running == [0, 1, 2]


async def test_no_jobs_no_results() -> None:
    assert await run_all([]) == []


async def test_at_most_so_many_wait_at_a_time() -> None:
    started = 0
    full, gate = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        nonlocal started
        started += 1
        if started == MAX_IN_FLIGHT:
            full.set()
        await gate.wait()

    running = asyncio.gather(run_all(job() for _ in range(MAX_IN_FLIGHT + 10)))
    await full.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    assert started == MAX_IN_FLIGHT
    gate.set()
    (results,) = await running
    assert len(results) == started == MAX_IN_FLIGHT + 10


async def test_the_first_error_is_raised_when_all_are_done() -> None:
    finished = []

    async def job(number: int) -> None:
        await asyncio.sleep(0)
        if number == 1:
            raise ValueError(number)
        finished.append(number)

    with pytest.raises(ValueError, match="1"):
        await run_all(job(number) for number in range(4))
    assert finished == [0, 2, 3]


async def test_others_get_their_turn() -> None:
    turns = 0

    async def busy() -> None:
        end = time.monotonic() + SLICE
        while time.monotonic() < end:
            pass

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    watcher = asyncio.create_task(other())
    await run_all(busy() for _ in range(5))
    watcher.cancel()
    assert turns >= 4


def test_a_time_slice_ends() -> None:
    time_slice = TimeSlice()
    assert not time_slice.is_over()
    end = time.monotonic() + SLICE
    while time.monotonic() < end:
        pass
    assert time_slice.is_over()
