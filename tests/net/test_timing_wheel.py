import asyncio
import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.net.timing_wheel import NOT_SCHEDULED, SLICE_ITEMS, TimingWheel


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


class Item:
    __slots__ = ("action", "fired", "wheel_slot")

    def __init__(self, action=None):
        self.wheel_slot = NOT_SCHEDULED
        self.fired = []
        self.action = action

    def on_timer(self, now):
        self.fired.append(now)
        if self.action:
            self.action(self, now)


@pytest.fixture
def wheel():
    return TimingWheel(Clock())


def drain(wheel, now):
    while wheel.advance(now):
        pass


def test_an_item_fires_once_and_never_early(wheel):
    item = Item()
    wheel.schedule(item, 1001.0)
    drain(wheel, 1000.99)
    assert item.fired == []
    drain(wheel, 1001.05)
    drain(wheel, 1010.0)
    assert item.fired == [1001.05]
    assert item.wheel_slot == NOT_SCHEDULED


@given(st.lists(st.floats(1000, 1030), max_size=40), st.lists(st.floats(0.001, 3), max_size=40))
def test_every_item_fires_within_one_resolution_of_its_deadline(deadlines, steps):
    wheel = TimingWheel(Clock())
    items = {Item(): when for when in deadlines}
    for item, when in items.items():
        wheel.schedule(item, when)
    now = 1000.0
    for step in steps:
        now += step
        drain(wheel, now)
        for item, when in items.items():
            assert not item.fired or item.fired[0] >= when
            assert item.fired or when > now - wheel.resolution
            assert len(item.fired) <= 1


def test_scheduling_again_replaces_the_deadline(wheel):
    item = Item()
    wheel.schedule(item, 1001.0)
    wheel.schedule(item, 1005.0)
    drain(wheel, 1004.0)
    assert item.fired == []
    wheel.schedule(item, 1004.1)
    drain(wheel, 1004.2)
    assert item.fired == [1004.2]
    drain(wheel, 1006.0)
    assert len(item.fired) == 1


def test_a_cancelled_item_does_not_fire_and_is_let_go(wheel):
    item = Item()
    wheel.schedule(item, 1001.0)
    wheel.cancel(item)
    wheel.cancel(item)
    assert wheel._slots == {}
    drain(wheel, 1002.0)
    assert item.fired == []


def test_a_deadline_in_the_past_fires_on_the_next_advance(wheel):
    item = Item()
    wheel.schedule(item, 17.0)
    drain(wheel, 1000.0)
    assert item.fired == [1000.0]


def test_an_item_that_reschedules_itself_into_the_past_fires_once_per_advance(wheel):
    item = Item(lambda self, now: wheel.schedule(self, now - 5))
    wheel.schedule(item, 1000.0)
    for _ in range(3):
        wheel.advance(1001.0)
    assert len(item.fired) == 3


def test_items_may_cancel_and_move_others_while_firing(wheel):
    cancelled, moved = Item(), Item()

    def act(self, now):
        wheel.cancel(cancelled)
        wheel.schedule(moved, now + 5)

    first = Item(act)
    for item in (first, cancelled, moved):
        wheel.schedule(item, 1001.0)
    drain(wheel, 1002.0)
    assert (len(first.fired), cancelled.fired, moved.fired) == (1, [], [])
    drain(wheel, 1008.0)
    assert len(moved.fired) == 1


def test_an_item_cancelled_and_scheduled_anew_while_firing_fires_once(wheel):
    other = Item()

    def act(self, now):
        wheel.cancel(other)
        wheel.schedule(other, now - 1)

    wheel.schedule(Item(act), 1001.0)
    wheel.schedule(other, 1001.0)
    drain(wheel, 1001.06)
    drain(wheel, 1001.07)
    drain(wheel, 1003.0)
    assert len(other.fired) == 1


def test_an_exception_is_logged_and_the_others_fire(wheel, caplog):
    def fail(self, now):
        raise ValueError("handler")

    last = Item()
    wheel.schedule(Item(fail), 1001.0)
    wheel.schedule(last, 1001.0)
    with caplog.at_level(logging.ERROR):
        drain(wheel, 1002.0)
    assert len(last.fired) == 1
    assert "deadline handler failed" in caplog.text


def test_order_within_a_slot_is_the_order_of_scheduling(wheel):
    order = []
    items = [Item(lambda self, now, n=n: order.append(n)) for n in range(5)]
    for item in items:
        wheel.schedule(item, 1001.0)
    drain(wheel, 1002.0)
    assert order == [0, 1, 2, 3, 4]


def test_a_jump_of_the_clock_fires_all_in_order(wheel):
    order = []
    for when in (1500.0, 1001.0, 1300.0):
        wheel.schedule(Item(lambda self, now, when=when: order.append(when)), when)
    drain(wheel, 10_000_000.0)
    assert order == [1001.0, 1300.0, 1500.0]
    late = Item()
    wheel.schedule(late, 10_000_001.0)
    drain(wheel, 10_000_002.0)
    assert len(late.fired) == 1


def test_one_call_fires_at_most_a_slice(wheel):
    items = [Item() for _ in range(10 * SLICE_ITEMS)]
    for item in items:
        wheel.schedule(item, 1001.0)
    assert wheel.advance(1002.0)
    assert sum(len(item.fired) for item in items) <= SLICE_ITEMS
    drain(wheel, 1002.0)
    assert all(len(item.fired) == 1 for item in items)


@pytest.mark.parametrize("seed", range(5))
def test_random_operations_agree_with_a_plain_table_of_deadlines(seed):
    chance = random.Random(seed)
    clock = Clock()
    wheel = TimingWheel(clock)
    items = [Item() for _ in range(30)]
    deadlines = {}
    for _ in range(2000):
        item = chance.choice(items)
        match chance.randrange(3):
            case 0:
                deadlines[item] = clock.now + chance.uniform(-1, 20)
                wheel.schedule(item, deadlines[item])
            case 1:
                deadlines.pop(item, None)
                wheel.cancel(item)
            case 2:
                clock.now += chance.uniform(0, 0.5)
                for each in items:
                    each.fired.clear()
                drain(wheel, clock.now)
                for each in items:
                    when = deadlines.get(each)
                    if each.fired:
                        assert when is not None
                        assert when <= clock.now
                        del deadlines[each]
                    else:
                        assert when is None or when > clock.now - wheel.resolution
    assert sum(map(len, wheel._slots.values())) == len(deadlines)


async def test_the_loop_drives_the_wheel_until_it_is_stopped():
    wheel = TimingWheel(resolution=0.005)
    fired = asyncio.Event()
    wheel.start(asyncio.get_running_loop())
    wheel.schedule(Item(lambda self, now: fired.set()), wheel.clock() + 0.01)
    await asyncio.wait_for(fired.wait(), 2)
    wheel.stop()
    silent = Item()
    wheel.schedule(silent, wheel.clock())
    await asyncio.sleep(0.03)
    assert silent.fired == []


async def test_ten_thousand_due_items_do_not_hold_the_loop():
    wheel = TimingWheel(resolution=0.005)
    last = asyncio.Event()
    count = 10_000
    fired = 0

    def act(self, now):
        nonlocal fired
        fired += 1
        if fired == count:
            last.set()

    for _ in range(count):
        wheel.schedule(Item(act), wheel.clock())
    wheel.start(asyncio.get_running_loop())
    turns = 0
    while not last.is_set():
        await asyncio.sleep(0)
        turns += 1
    wheel.stop()
    assert turns >= count // SLICE_ITEMS - 1
