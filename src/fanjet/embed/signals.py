"""Hearing the signals that end a host, before it waits for connections that nobody has told to end.

Hosts wait for all responses, which a client of SSE never lets end, and only then tell the application of the shutdown.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """Calls `heard` in the loop when such a signal comes; who has a handler for it hears it as before."""

    def __init__(self, heard: Callable[[], None]) -> None:
        """Begin. Signals without a handler, and those that just interrupt the program, are left alone; outside of the
        main thread, all are."""
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._handlers: dict[int, Callable[[int, Any], Any]] = {}
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler) and handler is not signal.default_int_handler:
                self._handlers[number] = handler
                signal.signal(number, self._take)

    def stop(self) -> None:
        """Leave the signals to their handlers, unless somebody has taken them since."""
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._take:
                signal.signal(number, handler)

    def _take(self, number: int, frame: Any) -> None:
        self._loop.call_soon_threadsafe(self._heard)
        self._handlers[number](number, frame)
