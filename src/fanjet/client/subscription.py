"""One subscription of one session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.node.subscriber import Subscriber
from fanjet.protocol.publication import ClientInfo

if TYPE_CHECKING:
    import asyncio

    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.node.subscriber import Delivery

    from .session import Session


class Subscription(Subscriber):
    """A subscription from its reservation to its end. Every attempt is an object of its own, so that what completes
    late cannot touch a newer one (01 §14).

    `active` is False until the reply is in the outbox. `expire_at` is in Unix seconds, 0 for never. `settled` is only
    set while somebody waits for an attempt to end.
    """

    __slots__ = ("active", "chan_info", "expire_at", "options", "server_side", "settled")

    session: Session

    def __init__(
        self, session: Session, channel: str, delivery: Delivery, options: SubscriptionOptions, *, server_side: bool
    ) -> None:
        super().__init__(session, channel, delivery)
        self.options = options
        self.server_side = server_side
        self.chan_info = options.chan_info
        self.expire_at = options.expire_at
        self.active = False
        self.settled: asyncio.Future[None] | None = None

    def info(self) -> ClientInfo:
        """Who subscribes, for presence, join and leave."""
        session = self.session
        return ClientInfo(session.user, session.client_id, session.info, self.chan_info)

    def settle(self) -> None:
        """The attempt has ended, one way or the other."""
        if self.settled is not None:
            self.settled.set_result(None)
            self.settled = None
