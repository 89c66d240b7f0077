"""The interface of a session to the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.protocol.codes import Disconnect, Unsubscribe
    from fanjet.protocol.publication import StreamPosition

    from .subscriber import Subscriber


class Session(Protocol):
    """One live connection, as seen by the hub and the API."""

    outbox: list[bytes] | None
    """Frames to write; None without any. The hub appends to it and marks the session dirty (DESIGN rule 3)."""

    @property
    def client_id(self) -> str:
        """Identity of the connection (UUID v4)."""

    @property
    def user(self) -> str:
        """User id, empty for an anonymous connection."""

    @property
    def session_id(self) -> str:
        """Session id of unidirectional and emulated transports, else empty."""

    @property
    def labels(self) -> Mapping[str, str] | None:
        """Labels set by the application, for filtering."""

    def flush(self) -> None:
        """Write the outbox, as far as the transport accepts it."""

    async def run_commands(self, data: bytes) -> None:
        """Run commands of a separate request, and return when they have run (02 §7.4).

        Raises `MalformedFrame` for data without commands.
        """

    def disconnect(self, disconnect: Disconnect) -> None:
        """Close the connection (01 §5.9). Never waits."""

    def on_insufficient_state(self, subscriber: Subscriber) -> None:
        """End a positioned subscription that has missed a publication.

        It ends with 2500, or the connection with 3010 (01 §8.6).
        """

    async def subscribe_by_server(
        self, channel: str, options: SubscriptionOptions, recover_since: StreamPosition | None
    ) -> None:
        """Make or renew a server-side subscription (05 §6.3).

        Raises `ReplyError` when it fails.
        """

    async def unsubscribe_by_server(self, channel: str, unsubscribe: Unsubscribe) -> None:
        """End a subscription and push `unsubscribe`.

        The push is sent even if there is no such subscription (05 §6.4).
        """

    def refresh_by_server(self, *, expired: bool, expire_at: int, info: bytes) -> None:
        """Set the connection's expiry, `expire_at` in Unix seconds, 0 for none (05 §6.6)."""
