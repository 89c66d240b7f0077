"""A subscription of a session, and what it needs of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from fanjet.node.session import Session as NodeSession
from fanjet.node.subscriber import Subscriber
from fanjet.protocol.codes import UNSUBSCRIBE_INSUFFICIENT, UNSUBSCRIBE_SERVER
from fanjet.protocol.publication import ClientInfo, Publication

if TYPE_CHECKING:
    import asyncio

    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.client.context import ClientContext
    from fanjet.engines.interfaces import PublishOptions
    from fanjet.events.stream import SubscriptionStream
    from fanjet.protocol.codes import Unsubscribe


class PublishGrant(Struct, frozen=True, gc=False):
    """A subscriber's authorization and options for publishing.

    Cached because they take longer to compute than publishing does. Valid while the subscription is the session's,
    the namespaces have the same generation, and both infos are unchanged.
    """

    generation: object
    info: ClientInfo
    how: PublishOptions


class SubscriptionOwner(NodeSession, Protocol):
    """What a subscription needs of its session."""

    client_id: str
    user: str
    info: bytes
    context: ClientContext

    def end_subscription(self, subscription: Subscription, reason: Unsubscribe) -> None:
        """Unsubscribe, then push the reason to the client."""


class Subscription(Subscriber, kw_only=True):
    """A subscription from its reservation to its end.

    Every attempt is a separate object, so that a late completion cannot affect a newer attempt (01 §14).

    `active` is False until the reply is in the outbox. `expire_at` is in Unix seconds, 0 for never. `publish_grant` is
    set by the first publication, `settled` only while a task waits for the attempt to end, `stream` where the
    application feeds the subscription.
    """

    session: SubscriptionOwner
    options: SubscriptionOptions
    server_side: bool
    chan_info: bytes = b""
    expire_at: int = 0
    active: bool = False
    publish_grant: PublishGrant | None = None
    settled: asyncio.Future[None] | None = None
    stream: SubscriptionStream | None = None

    @property
    def refreshed_by_server(self) -> bool:
        """Whether the server refreshes it, so that the client cannot (06 §10)."""
        return self.server_side or self.options.server_refresh

    @property
    def needs_periodic(self) -> bool:
        """Whether it needs periodic work (see `periodic`)."""
        return self.options.presence or self.delivery.positioned or self.expire_at > 0

    def info(self) -> ClientInfo:
        """The subscriber's info for presence, join and leave."""
        session = self.session
        return ClientInfo(session.user, session.client_id, session.info, self.chan_info)

    def settle(self) -> None:
        """Wake tasks that wait for the end of the attempt."""
        if self.settled is not None:
            self.settled.set_result(None)
            self.settled = None

    # `StreamReceiver` (06 §12).

    def on_publication(self, data: bytes, tags: dict[str, str] | None) -> None:
        """Deliver to this connection only, outside the channel's stream."""
        if self.active:
            self.session.context.node.hub.send(self, Publication(data=data, tags=tags))

    def on_end(self, *, failed: bool) -> None:
        """End the subscription because its stream has ended.

        After a failure the client subscribes again.
        """
        self.stream = None
        if self.active:
            self.session.end_subscription(self, UNSUBSCRIBE_INSUFFICIENT if failed else UNSUBSCRIBE_SERVER)

    def cancel_stream(self) -> None:
        """The subscription ends for another reason: cancel its stream."""
        if self.stream is not None:
            self.stream.cancel()
            self.stream = None
