"""Connections that have yet to authenticate, and how long they may take (01 §5.3)."""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from fanjet.net.timing_wheel import NOT_SCHEDULED
from fanjet.protocol.codes import DISCONNECT_STALE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.net.timing_wheel import TimingWheel
    from fanjet.protocol.codes import Disconnect

MAX_CLOSED_PER_TURN: Final = 200
"""Sessions that are closed in one turn of the loop."""


class UnauthenticatedSession(Protocol):
    """What the set of unauthenticated sessions needs of one."""

    closed: bool

    def disconnect(self, disconnect: Disconnect) -> None:
        """Close the connection."""

    def cancel_event_calls(self) -> None:
        """Cancel calls of the application that are under way."""


class UnauthenticatedSessions:
    """The sessions that the node does not know yet, in the order in which they came.

    All may take equally long, so that one place in the timing wheel, for the first of them, does for all: a place for
    each, which nearly all leave unused, is 5000 instructions of a connect.
    """

    __slots__ = ("_deadlines", "_timeout", "_wheel", "wheel_slot")

    def __init__(self, wheel: TimingWheel, timeout: float) -> None:
        """`timeout` in seconds, 0 for no end to it."""
        self._wheel = wheel
        self._timeout = timeout or inf
        self._deadlines: dict[UnauthenticatedSession, float] = {}
        self.wheel_slot = NOT_SCHEDULED

    def __len__(self) -> int:
        return len(self._deadlines)

    def __iter__(self) -> Iterator[UnauthenticatedSession]:
        """Whoever waits now, also while they leave."""
        return iter(list(self._deadlines))

    def add(self, session: UnauthenticatedSession) -> None:
        """Begin to wait."""
        deadline = self._deadlines[session] = self._wheel.clock() + self._timeout
        if self.wheel_slot == NOT_SCHEDULED and deadline < inf:
            self._wheel.schedule(self, deadline)

    def discard(self, session: UnauthenticatedSession) -> None:
        """The session has authenticated, or ended."""
        self._deadlines.pop(session, None)

    def on_timer(self, now: float) -> None:
        """Close those who have waited too long."""
        for session, deadline in list(islice(self._deadlines.items(), MAX_CLOSED_PER_TURN)):
            if deadline > now:
                break
            self.discard(session)
            session.disconnect(DISCONNECT_STALE)
            if not session.closed:  # until the application has answered
                self.add(session)
        first = next(iter(self._deadlines.values()), inf)
        if first < inf:
            self._wheel.schedule(self, first)
