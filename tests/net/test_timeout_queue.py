"""A FIFO of items with the same timeout."""

from fanjet.net.timeout_queue import MAX_PER_TURN, TimeoutQueue
from fanjet.net.timing_wheel import NOT_SCHEDULED, TimingWheel


class Item:
    def __init__(self, fired, *, leaving=()):
        self.wheel_slot = NOT_SCHEDULED
        self._fired = fired
        self._leaving = leaving

    def on_timer(self, now):
        self._fired.append(self)
        for lineup, other in self._leaving:
            lineup.discard(other)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def a_lineup():
    clock = Clock()
    wheel = TimingWheel(clock=clock)
    return TimeoutQueue(wheel), wheel


def pass_time(wheel, now):
    while wheel.advance(now):
        pass


def test_each_is_told_when_its_time_is_up_and_not_before():
    lineup, wheel = a_lineup()
    fired = []
    first, second = Item(fired), Item(fired)
    lineup.add(first, 101.0)
    lineup.add(second, 105.0)
    pass_time(wheel, 100.9)
    assert fired == []
    pass_time(wheel, 101.2)
    assert fired == [first]
    pass_time(wheel, 105.2)
    assert fired == [first, second]


def test_who_has_left_is_not_told():
    lineup, wheel = a_lineup()
    fired = []
    leaves, stays = Item(fired), Item(fired)
    lineup.add(leaves, 101.0)
    lineup.add(stays, 102.0)
    lineup.discard(leaves)
    lineup.discard(leaves)
    pass_time(wheel, 103.0)
    pass_time(wheel, 103.1)
    assert fired == [stays]


def test_who_is_made_to_leave_by_one_before_is_not_told():
    lineup, wheel = a_lineup()
    fired = []
    second = Item(fired)
    first = Item(fired, leaving=[(lineup, second)])
    lineup.add(first, 101.0)
    lineup.add(second, 101.0)
    pass_time(wheel, 102.0)
    pass_time(wheel, 103.0)
    assert fired == [first]


def test_a_crowd_is_told_in_several_turns():
    lineup, wheel = a_lineup()
    fired = []
    crowd = [Item(fired) for _ in range(2 * MAX_PER_TURN + 1)]
    for item in crowd:
        lineup.add(item, 101.0)
    pass_time(wheel, 102.0)
    assert len(fired) == MAX_PER_TURN
    pass_time(wheel, 102.1)
    pass_time(wheel, 102.2)
    assert fired == crowd


def test_an_empty_line_takes_newcomers():
    lineup, wheel = a_lineup()
    fired = []
    lineup.add(Item(fired), 101.0)
    pass_time(wheel, 102.0)
    lineup.add(late := Item(fired), 110.0)
    pass_time(wheel, 111.0)
    assert fired[1:] == [late]
