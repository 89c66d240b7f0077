"""Streams of the application that feed one client's subscription each (06 §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .answer import SubscribeAnswer


class StreamReceiver(Protocol):
    """The subscription that a stream feeds."""

    def on_publication(self, data: bytes, tags: dict[str, str] | None) -> None:
        """Deliver to the client."""

    def on_end(self, *, failed: bool) -> None:
        """The application has ended the stream; `failed`: by an error."""


class SubscriptionStream(Protocol):
    """A stream accepted by the application."""

    @property
    def answer(self) -> SubscribeAnswer:
        """The answer that accepted it."""

    def start(self, receiver: StreamReceiver) -> None:
        """Deliver from now on, queued publications first. The end is reported too, once."""

    async def send(self, data: bytes) -> None:
        """Send a client's publication.

        Raises `ReplyError`: 108 where the stream is unidirectional, 100 when it cannot be sent.
        """

    def cancel(self) -> None:
        """End the stream; nothing more is reported."""
