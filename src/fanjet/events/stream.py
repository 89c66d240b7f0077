"""Subscriptions that the application feeds, one client at a time (06 §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .answer import SubscribeAnswer


class StreamReceiver(Protocol):
    """The subscription that a stream feeds."""

    def on_publication(self, data: bytes, tags: dict[str, str] | None) -> None:
        """Deliver to the client."""

    def on_end(self, *, failed: bool) -> None:
        """The application has ended the stream; `failed`: not of its own will."""


class SubscriptionStream(Protocol):
    """A stream that the application has accepted."""

    @property
    def answer(self) -> SubscribeAnswer:
        """What it has accepted with."""

    def start(self, receiver: StreamReceiver) -> None:
        """Deliver from now on, what waits first. The end is reported too, once."""

    async def send(self, data: bytes) -> None:
        """Pass on what the client publishes. Raises `ReplyError`: 108 where the stream has one direction only, 100 when
        it cannot be sent."""

    def cancel(self) -> None:
        """End the stream; nothing is reported any more."""
