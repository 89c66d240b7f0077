"""The session as its commands and subscriptions see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .event_calls import EventCaller
from .subscriptions.subscription import SubscriptionOwner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanjet.protocol.capability import Capability
    from fanjet.protocol.codes import Error, Unsubscribe
    from fanjet.protocol.messages import PushBody, Result

    from .credentials import Credentials
    from .deadlines import Deadlines
    from .metrics import ConnectionMetrics
    from .state import State
    from .subscriptions.subscription import Subscription


class SessionInterface(EventCaller, SubscriptionOwner, Protocol):
    """The interface of a session for the commands that it runs.

    Commands do not depend on the session itself.

    `session_id` is empty but for unidirectional and emulated transports. `expire_at` and the other attributes are
    those of `Session`.
    """

    session_id: str
    state: State
    authenticated: bool
    closed: bool
    usable: bool
    capabilities: Sequence[Capability]
    subscriptions: dict[str, Subscription]
    metrics: ConnectionMetrics
    deadlines: Deadlines
    ping_interval: float
    pong_timeout: float
    periodic_running: bool
    last_command: str

    # Replies and pushes.

    def reply(self, command_id: int, result: Result, channel: str = "") -> None:
        """Queue a command's result.

        Raises `Disconnected` when it cannot be encoded or is too long.
        """

    def reply_error(self, command_id: int, error: Error, method: str, channel: str = "") -> None:
        """Queue an error reply."""

    def refuse(self, command_id: int, error: Error) -> None:
        """Reply to a connect with an error, after which the connection is unusable."""

    def push(self, channel: str, body: PushBody) -> None:
        """Queue a push. Raises `PayloadNotJSON`."""

    def push_unsubscribe(self, channel: str, unsubscribe_: Unsubscribe) -> None:
        """Queue an unsubscribe push."""

    # The outbox.

    def cork(self) -> None:
        """Collect frames until `uncork`."""

    def uncork(self) -> None:
        """Have collected frames written in this turn of the event loop."""

    def uncork_later(self) -> None:
        """Have collected frames written at the end of this turn of the event loop."""

    def write_everything(self) -> None:
        """Write all queued frames, whether or not the transport is blocked."""

    # The life cycle.

    def authenticate(self, credentials: Credentials, name: str = "", version: str = "") -> None:
        """Take on an identity and register with the node."""

    def start_connected(self) -> None:
        """Start pings and expiry, after the connect reply."""

    def on_pong(self) -> bool:
        """Record a pong. False when no ping is outstanding."""

    # Expiry and periodic work.

    def seconds_left(self) -> int:
        """Seconds until the client has to refresh the connection.

        0 when it does not have to.
        """

    def set_expiry(self, expire_at: int) -> int:
        """Set the connection's expiry; returns the seconds left.

        The expiry is in Unix seconds, 0 for never.
        """

    def arm(self) -> None:
        """Schedule the nearest deadline."""

    def schedule_periodic(self) -> None:
        """Start periodic work, unless it is scheduled already."""

    # Subscriptions.

    def is_subscribed(self, channel: str) -> bool:
        """Whether a subscription to `channel` is active."""
