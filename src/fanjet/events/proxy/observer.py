"""Where the outcome of every call to a backend is known: metrics and traces begin here (06 §17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class CallObserver(Protocol):
    """Counts the calls of one proxy. Times are seconds."""

    def on_start(self) -> None:
        """A call begins; one of the others follows."""

    def on_response(self, seconds: float) -> None:
        """The backend has answered, whatever it says; a stream has been accepted or refused."""

    def on_failure(self, seconds: float) -> None:
        """An unexpected error."""

    def on_cancel(self) -> None:
        """The client went away before there was an answer."""

    def on_unknown_reply(self) -> None:
        """An answer had keys, none of them known; reported besides `on_response`."""


ObserverFactory = Callable[[str, str, str], CallObserver]
"""Makes the observer of a proxy, from its protocol (`http`, `grpc`), the type of its event and its name."""


class NoopObserver:
    """Counts nothing."""

    def __init__(self, protocol: str, event_type: str, name: str) -> None:
        pass

    def on_start(self) -> None:
        """Nothing."""

    def on_response(self, seconds: float) -> None:
        """Nothing."""

    def on_failure(self, seconds: float) -> None:
        """Nothing."""

    def on_cancel(self) -> None:
        """Nothing."""

    def on_unknown_reply(self) -> None:
        """Nothing."""
