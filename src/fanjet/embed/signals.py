"""Handles the signals that end a host process.

They are handled before the host waits for connections that would not end. Hosts wait for all responses, and a response
to an SSE client does not end, before they notify the application of the shutdown.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class SignalWatcher:
    """Calls `on_signal` in the event loop when such a signal is received.

    Then calls the former handler.
    """

    def __init__(self, on_signal: Callable[[], None]) -> None:
        """Install the handlers.

        Signals without a handler or with Python's default one are not changed; outside of the main thread, none is.
        """
        self._loop = asyncio.get_running_loop()
        self._on_signal = on_signal
        self._handlers: dict[int, Callable[[int, Any], Any]] = {}
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler) and handler is not signal.default_int_handler:
                self._handlers[number] = handler
                signal.signal(number, self._handle)

    def stop(self) -> None:
        """Restore the former handlers, unless the program has installed others since."""
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)

    def _handle(self, number: int, frame: Any) -> None:
        self._loop.call_soon_threadsafe(self._on_signal)
        self._handlers[number](number, frame)
