"""Closes connections that do not authenticate in time (01 §5.3)."""

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
"""Sessions closed in one turn of the event loop."""


class UnauthenticatedSession(Protocol):
    """What the set of unauthenticated sessions needs of one."""

    closed: bool

    def disconnect(self, disconnect: Disconnect) -> None:
        """Close the connection."""

    def cancel_event_calls(self) -> None:
        """Cancel calls of the application that are under way."""


class UnauthenticatedSessions:
    """Sessions that the node has not registered yet, in order of arrival.

    All have the same timeout, so that one timer, for the first session, serves all. A timer each, which nearly all
    would cancel, is 5000 instructions of a connect.
    """

    __slots__ = ("_deadlines", "_timeout", "_wheel", "wheel_slot")

    def __init__(self, wheel: TimingWheel, timeout: float) -> None:
        """`timeout` in seconds, 0 for none."""
        self._wheel = wheel
        self._timeout = timeout or inf
        self._deadlines: dict[UnauthenticatedSession, float] = {}
        self.wheel_slot = NOT_SCHEDULED

    def __len__(self) -> int:
        return len(self._deadlines)

    def __iter__(self) -> Iterator[UnauthenticatedSession]:
        """Iterate over a snapshot of the waiting sessions."""
        return iter(list(self._deadlines))

    def add(self, session: UnauthenticatedSession) -> None:
        """Start the timeout of a session."""
        deadline = self._deadlines[session] = self._wheel.clock() + self._timeout
        if self.wheel_slot == NOT_SCHEDULED and deadline < inf:
            self._wheel.schedule(self, deadline)

    def discard(self, session: UnauthenticatedSession) -> None:
        """Remove a session that has authenticated or ended."""
        self._deadlines.pop(session, None)

    def on_timer(self, now: float) -> None:
        """Disconnect sessions whose timeout has passed."""
        for session, deadline in list(islice(self._deadlines.items(), MAX_CLOSED_PER_TURN)):
            if deadline > now:
                break
            self.discard(session)
            session.disconnect(DISCONNECT_STALE)
            if not session.closed:  # an event call under way defers the disconnect
                self.add(session)
        first = next(iter(self._deadlines.values()), inf)
        if first < inf:
            self._wheel.schedule(self, first)
