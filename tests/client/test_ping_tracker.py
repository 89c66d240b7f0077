"""Outstanding pings of many sessions; `test_deadlines` covers one client."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fanjet.client.ping_tracker import MAX_CLOSED_PER_TURN, PingTracker
from fanjet.net.timing_wheel import TimingWheel

if TYPE_CHECKING:
    from fanjet.client.session import Session


class Pinged:
    """Has answered, or has not."""

    def __init__(self, *, answered: bool) -> None:
        self.answered = answered
        self.missed_at: list[float] = []

    def on_pong_timeout(self, until: float) -> bool:
        if not self.answered:
            self.missed_at.append(until)
        return not self.answered


def test_many_sessions_are_closed_in_turns_except_those_with_a_pong() -> None:
    wheel = TimingWheel(clock=lambda: 0.0)
    watch = PingTracker(wheel)
    silent = [Pinged(answered=False) for _ in range(MAX_CLOSED_PER_TURN + 50)]
    for one in silent:
        watch.expect(cast("Session", one), 8.0)
        watch.expect(cast("Session", Pinged(answered=True)), 8.0)
    late = Pinged(answered=False)
    watch.expect(cast("Session", late), 16.0)

    wheel.advance(7.9)
    assert not any(one.missed_at for one in silent)
    wheel.advance(8.1)
    assert sum(bool(one.missed_at) for one in silent) == MAX_CLOSED_PER_TURN
    wheel.advance(8.2)
    assert all(one.missed_at == [8.0] for one in silent)
    assert not late.missed_at
    wheel.advance(16.1)
    assert late.missed_at == [16.0]


def test_after_a_suspension_received_data_is_read_first() -> None:
    wheel = TimingWheel(clock=lambda: 0.0)
    watch = PingTracker(wheel)
    quick, silent = Pinged(answered=False), Pinged(answered=False)
    for one in (quick, silent):
        watch.expect(cast("Session", one), 8.0)

    wheel.advance(30.0)
    quick.answered = True
    wheel.advance(30.1)
    assert not quick.missed_at
    assert silent.missed_at == [8.0]
