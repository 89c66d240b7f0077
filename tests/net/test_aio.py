import asyncio
import contextvars
import gc
import weakref

import pytest

from fanjet.net.aio import CallbackChain, DirectFuture, StartedCoroutine, after, run_eagerly, start


class Outcome:
    def __init__(self):
        self.calls = []
        self.reported = asyncio.Event()

    def __call__(self, result, error):
        self.calls.append((result, error))
        self.reported.set()


async def test_a_coroutine_that_does_not_wait_is_done_before_the_call_returns():
    async def inner():
        return 7

    async def outer():
        return await inner() + 1

    outcome = Outcome()
    assert run_eagerly(outer(), outcome) is None
    assert outcome.calls == [(8, None)]


async def test_an_exception_before_the_first_wait_is_reported():
    error = ValueError("no")

    async def fails():
        raise error

    outcome = Outcome()
    assert run_eagerly(fails(), outcome) is None
    assert outcome.calls == [(None, error)]


async def test_a_bare_yield_continues_in_a_task():
    async def gives_way():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asyncio.current_task()

    outcome = Outcome()
    task = run_eagerly(gives_way(), outcome)
    assert outcome.calls == []
    await task
    assert outcome.calls == [(task, None)]


async def test_a_future_resumes_the_coroutine_with_its_result():
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()

    async def waits():
        return await first + await second

    outcome = Outcome()
    task = run_eagerly(waits(), outcome)
    first.set_result(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert outcome.calls == []
    second.set_result(2)
    await task
    assert outcome.calls == [(3, None)]


async def test_a_future_that_is_done_before_the_task_runs_is_no_problem():
    future = asyncio.get_running_loop().create_future()

    async def waits():
        return await future

    outcome = Outcome()
    task = run_eagerly(waits(), outcome)
    future.set_result("early")
    await task
    assert outcome.calls == [("early", None)]


async def test_exceptions_of_the_awaited_reach_the_coroutine():
    future = asyncio.get_running_loop().create_future()

    async def survives():
        try:
            await future
        except ValueError as error:
            return str(error)

    outcome = Outcome()
    task = run_eagerly(survives(), outcome)
    future.set_exception(ValueError("remote"))
    await task
    assert outcome.calls == [("remote", None)]


async def test_an_exception_after_the_wait_is_reported_and_does_not_fail_the_task():
    async def fails():
        await asyncio.sleep(0)
        raise KeyError("late")

    outcome = Outcome()
    await run_eagerly(fails(), outcome)
    assert [type(error) for _, error in outcome.calls] == [KeyError]


@pytest.mark.parametrize("started", [pytest.param(False, id="before its first step"), pytest.param(True, id="later")])
async def test_cancelling_the_task_reaches_the_coroutine(started):
    cleaned = []
    future = asyncio.get_running_loop().create_future()

    async def waits():
        try:
            await future
        finally:
            cleaned.append(True)

    outcome = Outcome()
    task = run_eagerly(waits(), outcome)
    if started:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert cleaned == [True]
    assert [type(error) for _, error in outcome.calls] == [asyncio.CancelledError]
    if started:
        assert future.cancelled()


async def test_a_coroutine_may_survive_its_cancellation_and_wait_again():
    loop = asyncio.get_running_loop()
    first, second = loop.create_future(), loop.create_future()

    async def stubborn():
        try:
            await first
        except asyncio.CancelledError:
            return await second

    outcome = Outcome()
    task = run_eagerly(stubborn(), outcome)
    task.cancel()
    await asyncio.sleep(0)
    second.set_result("finished")
    await asyncio.wait([task])
    assert outcome.calls == [("finished", None)]


async def test_two_coroutines_may_start_waiting_for_one_future():
    future = asyncio.get_running_loop().create_future()

    async def waits():
        return await future

    async def plain():
        return await future

    outcomes = Outcome(), Outcome()
    ordinary = asyncio.create_task(plain())
    tasks = [run_eagerly(waits(), outcome) for outcome in outcomes]
    await asyncio.sleep(0)
    future.set_result(5)
    await asyncio.gather(ordinary, *tasks)
    assert [outcome.calls for outcome in outcomes] == [[(5, None)], [(5, None)]]


async def test_context_variables_stay_inside_and_last_across_the_wait():
    variable = contextvars.ContextVar("variable", default="outside")

    async def sets():
        variable.set("inside")
        await asyncio.sleep(0)
        return variable.get()

    outcome = Outcome()
    task = run_eagerly(sets(), outcome)
    assert variable.get() == "outside"
    await task
    assert outcome.calls == [("inside", None)]


async def test_timeouts_work_once_the_coroutine_has_waited():
    async def bounded():
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"

    outcome = Outcome()
    await run_eagerly(bounded(), outcome)
    assert outcome.calls == [("timed out", None)]


async def test_an_abandoned_task_closes_the_coroutine():
    closed = []

    async def waits():
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    rest = []
    loop = asyncio.get_running_loop()
    loop.set_task_factory(lambda loop, coro, **_: rest.append(coro) or asyncio.current_task())
    try:
        run_eagerly(waits(), Outcome())
    finally:
        loop.set_task_factory(None)
    rest.pop().close()
    assert closed == [True]


async def test_starting_a_coroutine_that_does_not_wait_leaves_nothing_to_do():
    steps = []

    async def works():
        steps.append(1)

    assert start(works()) is None
    assert steps == [1]


async def test_starting_raises_what_the_first_step_raised():
    async def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        start(fails())


@pytest.mark.parametrize("fails", [False, True])
async def test_what_was_started_and_waits_goes_on_in_a_task(fails):
    variable = contextvars.ContextVar("variable", default="outside")
    future = asyncio.get_running_loop().create_future()
    seen = []

    async def waits():
        variable.set("inside")
        await asyncio.sleep(0)
        seen.append(await future)
        seen.append(variable.get())

    suspended = start(waits())
    outcome = Outcome()
    task = suspended.go_on(outcome)
    await asyncio.sleep(0)
    error = ValueError("no")
    future.set_exception(error) if fails else future.set_result(1)
    await task
    assert (seen, outcome.calls) == (([], [(None, error)]) if fails else ([1, "inside"], [(None, None)]))


# ------------------------------------------------------------------------------------------------------ begun here


async def test_what_has_ended_in_its_first_step_has_its_result_at_once():
    async def inner():
        return 7

    assert await StartedCoroutine(inner()) == 7


async def test_what_has_begun_goes_on_when_it_is_awaited():
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    steps = []

    async def waits():
        steps.append("begun")
        steps.append(await first)
        await asyncio.sleep(0)
        return await second

    begun = StartedCoroutine(waits())
    assert steps == ["begun"]
    asyncio.get_running_loop().call_soon(second.set_result, 2)
    first.set_result(1)
    assert steps == ["begun"]
    assert await begun == 2
    assert steps == ["begun", 1]


async def test_what_is_done_is_taken_without_a_turn_of_the_loop():
    futures = [asyncio.get_running_loop().create_future() for _ in range(3)]

    async def waits(future):
        return await future

    begun = [StartedCoroutine(waits(future)) for future in futures]
    for number, future in enumerate(futures):
        future.set_result(number)
    turned = []
    asyncio.get_running_loop().call_soon(turned.append, True)
    assert [await each for each in begun] == [0, 1, 2]
    assert turned == []


async def test_a_failure_and_a_cancellation_reach_what_has_begun():
    loop = asyncio.get_running_loop()
    caught = []

    async def waits(future):
        try:
            await future
        except (ValueError, asyncio.CancelledError) as error:
            caught.append(type(error))
            raise

    failing = loop.create_future()
    begun = StartedCoroutine(waits(failing))
    failing.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await begun

    async def awaits():
        await StartedCoroutine(waits(loop.create_future()))

    task = loop.create_task(awaits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert caught == [ValueError, asyncio.CancelledError]


async def test_what_has_begun_can_be_closed():
    closed = []

    async def waits():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append(True)

    StartedCoroutine(waits()).close()
    assert closed == [True]


async def test_a_coroutine_is_called_on_by_what_it_waits_for():
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    seen = []

    async def waits():
        await asyncio.sleep(0)
        seen.append(await first)
        with pytest.raises(ValueError, match="no"):
            await second
        seen.append(asyncio.current_task())

    outcome = Outcome()
    tasks = len(asyncio.all_tasks())
    suspended = start(CallbackChain(waits()))
    assert suspended.go_on(outcome) is None
    first.set_result(1)
    second.set_exception(ValueError("no"))
    assert not outcome.calls
    await outcome.reported.wait()
    assert outcome.calls == [(None, None)]
    assert seen == [1, None]
    assert len(asyncio.all_tasks()) == tasks


async def test_what_a_coroutine_raises_that_goes_on_without_a_task_is_reported():
    awaited = asyncio.get_running_loop().create_future()

    async def waits():
        await awaited

    outcome = Outcome()
    start(CallbackChain(waits())).go_on(outcome)
    awaited.cancel()
    await outcome.reported.wait()
    [(result, error)] = outcome.calls
    assert result is None
    assert isinstance(error, asyncio.CancelledError)


async def test_a_coroutine_that_goes_on_without_a_task_keeps_its_context():
    variable = contextvars.ContextVar("variable", default=0)
    seen = []

    async def waits():
        await asyncio.sleep(0)
        seen.append(variable.get())
        variable.set(2)
        await asyncio.sleep(0)
        seen.append(variable.get())

    variable.set(1)
    outcome = Outcome()
    start(CallbackChain(waits())).go_on(outcome)
    variable.set(3)
    await outcome.reported.wait()
    assert seen == [1, 2]
    assert variable.get() == 3


@pytest.fixture(params=["future", "promise", "coroutine"])
async def call(request):
    """What an engine's call may return, and what answers it."""
    loop = asyncio.get_running_loop()
    answer = DirectFuture(loop) if request.param == "promise" else loop.create_future()

    async def waits():
        return await answer

    return answer, waits() if request.param == "coroutine" else answer


async def test_the_result_of_a_call_is_followed_without_a_task(call):
    answer, awaited = call
    seen = []
    outcome = Outcome()
    tasks = len(asyncio.all_tasks())
    suspended = start(after(awaited, seen.append))
    assert suspended.go_on(outcome) is None
    assert len(asyncio.all_tasks()) == tasks
    answer.set_result(1)
    await outcome.reported.wait()
    assert seen == [1]
    assert outcome.calls == [(None, None)]


@pytest.mark.parametrize("call_fails", [pytest.param(True, id="call"), pytest.param(False, id="what-follows")])
async def test_what_a_call_or_what_follows_it_raises_is_reported(call, call_fails):
    answer, awaited = call
    error = ValueError("no")

    def fail(_result):
        raise error

    outcome = Outcome()
    start(after(awaited, fail)).go_on(outcome)
    if call_fails:
        answer.set_exception(error)
    else:
        answer.set_result(1)
    await outcome.reported.wait()
    assert outcome.calls == [(None, error)]


async def test_what_follows_a_promise_is_called_by_the_answer():
    promise = DirectFuture(asyncio.get_running_loop())
    seen, outcome = [], Outcome()
    start(after(promise, seen.append)).go_on(outcome)
    promise.set_result(1)
    assert (seen, outcome.calls) == ([1], [(None, None)])


async def test_an_error_of_a_direct_future_is_reported_in_a_later_turn():
    promise = DirectFuture(asyncio.get_running_loop())
    outcome = Outcome()
    start(after(promise, print)).go_on(outcome)
    promise.set_exception(error := ValueError("no"))
    assert outcome.calls == []
    await outcome.reported.wait()
    assert outcome.calls == [(None, error)]


@pytest.mark.parametrize("early", [True, False], ids=["answered-before", "answered-later"])
@pytest.mark.parametrize("fails", [True, False], ids=["fails", "succeeds"])
async def test_a_promise_can_be_awaited(early, fails):
    loop = asyncio.get_running_loop()
    promise = DirectFuture(loop)
    answer, value = (promise.set_exception, ValueError("no")) if fails else (promise.set_result, 1)
    if early:
        answer(value)
    else:
        loop.call_soon(answer, value)
    if fails:
        with pytest.raises(ValueError, match="no"):
            await promise
    else:
        assert await promise == value
    assert promise.done()


@pytest.mark.parametrize("early", [True, False], ids=["answered-before", "answered-later"])
async def test_a_broken_promise_is_forgotten_with_its_error(early):
    class BrokenError(Exception):
        pass

    async def wait(errors):
        loop = asyncio.get_running_loop()
        promise = DirectFuture(loop)
        if early:
            promise.set_exception(BrokenError())
        else:
            loop.call_soon(lambda: promise.set_exception(BrokenError()))
        try:
            await promise
        except BrokenError as error:
            errors.append(weakref.ref(error))

    errors = []
    gc.disable()
    try:
        for _ in range(10):
            await asyncio.create_task(wait(errors))
        await asyncio.sleep(0)
        assert [error() for error in errors] == [None] * 10
    finally:
        gc.enable()


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "succeeds"])
async def test_who_asks_late_is_told_what_a_promise_came_to(fails):
    promise = DirectFuture(asyncio.get_running_loop())
    error = ValueError("no")
    seen, outcome = [], Outcome()
    if fails:
        promise.set_exception(error)
    else:
        promise.set_result(1)
    start(after(promise, seen.append)).go_on(outcome)
    await outcome.reported.wait()
    assert (seen, outcome.calls) == (([], [(None, error)]) if fails else ([1], [(None, None)]))


async def test_a_cancelled_direct_future_is_done():
    promise = DirectFuture(asyncio.get_running_loop())

    async def waits():
        await promise

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    assert not promise.done()
    task.cancel()
    await asyncio.wait([task])
    assert promise.done()


async def test_an_error_in_who_is_told_is_reported_and_stays_with_it():
    loop = asyncio.get_running_loop()
    promise = DirectFuture(loop)

    def tell(_result, _error):
        raise ValueError("a mistake")

    reported = []
    loop.set_exception_handler(lambda _loop, context: reported.append(str(context["exception"])))
    start(after(promise, str)).go_on(tell)
    promise.set_result(1)
    assert reported == ["a mistake"]
