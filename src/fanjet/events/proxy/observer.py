"""Interface of observers of backend calls (06 §17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class CallObserver(Protocol):
    """Receives the outcome of each call of one proxy. Durations are in seconds."""

    def on_start(self) -> None:
        """A call starts; exactly one of the next three methods follows."""

    def on_response(self, seconds: float) -> None:
        """The backend responded, or accepted or refused a stream."""

    def on_failure(self, seconds: float) -> None:
        """The call failed."""

    def on_cancel(self) -> None:
        """The call was cancelled because the client disconnected."""

    def on_unknown_reply(self) -> None:
        """A response had keys, none of them known; follows `on_response`."""


ObserverFactory = Callable[[str, str, str], CallObserver]
"""Creates the observer of a proxy, from its protocol (`http`, `grpc`), event type and name."""


class NoopObserver:
    """An observer that does nothing."""

    def __init__(self, protocol: str, event_type: str, name: str) -> None:
        pass

    def on_start(self) -> None:
        """Do nothing."""

    def on_response(self, seconds: float) -> None:
        """Do nothing."""

    def on_failure(self, seconds: float) -> None:
        """Do nothing."""

    def on_cancel(self) -> None:
        """Do nothing."""

    def on_unknown_reply(self) -> None:
        """Do nothing."""
