"""The interface through which connections ask the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fanjet.protocol.codes import ERROR_INTERNAL, ReplyError

if TYPE_CHECKING:
    from fanjet.channels.namespaces import Resolved

    from .answer import (
        ConnectAnswer,
        PublishAnswer,
        RefreshAnswer,
        SubRefreshAnswer,
        SubscribeAnswer,
    )
    from .event import (
        ConnectEvent,
        DisconnectEvent,
        MessageEvent,
        PublishEvent,
        RefreshEvent,
        RPCEvent,
        SubRefreshEvent,
        SubscribeEvent,
    )
    from .headers import KeptHeaders
    from .stream import SubscriptionStream


class EventFailed(ReplyError):  # noqa: N818 (says what has happened)
    """The application could not be asked, or what it said is of no use; the log has been told. A command is answered
    with error 100; what expires is kept and asked for again (06 §4.4)."""

    def __init__(self) -> None:
        super().__init__(ERROR_INTERNAL)


class ClientEvents(Protocol):
    """The application, as connections see it.

    Which channels it decides about stands in their options (`subscribe_proxy_enabled` and the like). Every call may
    raise `ReplyError` (what a client is told instead), `Disconnected` (its connection ends) and `EventFailed`; error
    108 where nobody is there to be asked. A call is stepped synchronously until it waits, as everything on a connection
    is, and cancelled when its answer is of no use any more.
    """

    @property
    def kept_headers(self) -> KeptHeaders:
        """Which headers connections keep, to tell them with every event."""

    @property
    def decides_connect(self) -> bool:
        """Whether those who connect without token are asked about."""

    @property
    def decides_refresh(self) -> bool:
        """Whether the application prolongs connections, so that clients cannot."""

    @property
    def answers_rpc(self) -> bool:
        """Whether there is anybody to call."""

    @property
    def takes_messages(self) -> bool:
        """Whether anybody takes messages of clients."""

    @property
    def wants_disconnects(self) -> bool:
        """Whether anybody wants to hear of connections that have ended."""

    async def connect(self, event: ConnectEvent) -> ConnectAnswer | None:
        """Who connects; None when the application does not know (06 §5)."""

    async def refresh(self, event: RefreshEvent) -> RefreshAnswer | None:
        """Prolong a connection; None ends it as expired (06 §6)."""

    async def subscribe(self, event: SubscribeEvent, resolved: Resolved) -> SubscribeAnswer:
        """Allow a subscription (06 §7)."""

    async def open_stream(self, event: SubscribeEvent, resolved: Resolved) -> SubscriptionStream:
        """Allow a subscription and open the stream that feeds it (06 §12)."""

    async def publish(self, event: PublishEvent, resolved: Resolved) -> PublishAnswer:
        """Allow a publication (06 §8)."""

    async def sub_refresh(self, event: SubRefreshEvent, resolved: Resolved) -> SubRefreshAnswer | None:
        """Prolong a subscription; None ends it as expired (06 §10)."""

    async def rpc(self, event: RPCEvent) -> bytes:
        """Call a procedure and return its result, empty for none (06 §11)."""

    async def message(self, event: MessageEvent) -> None:
        """Take a message, to which there is no answer."""

    async def disconnect(self, event: DisconnectEvent) -> None:
        """Hear that a connection has ended. What is raised changes nothing."""
