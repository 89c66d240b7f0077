"""The interface between connections and the application."""

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
    """The application could not be called, or its answer is unusable.

    The failure has been logged. A command is answered with error 100; an expired connection or subscription is kept
    and retried (06 §4.4).
    """

    def __init__(self) -> None:
        super().__init__(ERROR_INTERNAL)


class ClientEvents(Protocol):
    """The application's event handler, as connections see it.

    Channel options select the channels it decides about (`subscribe_proxy_enabled` and the like). Every call may raise
    `ReplyError` (an error for the client), `Disconnected` (closes the connection) and `EventFailed`; error 108 without
    a handler. A call is stepped synchronously until it waits, and cancelled when its answer is no longer needed.
    """

    @property
    def kept_headers(self) -> KeptHeaders:
        """Headers that connections keep for events."""

    @property
    def decides_connect(self) -> bool:
        """Whether clients without token are authenticated by the application."""

    @property
    def decides_refresh(self) -> bool:
        """Whether the application refreshes connections, so that clients cannot."""

    @property
    def answers_rpc(self) -> bool:
        """Whether RPC is handled."""

    @property
    def takes_messages(self) -> bool:
        """Whether clients' messages are handled."""

    @property
    def wants_disconnects(self) -> bool:
        """Whether disconnects are handled."""

    async def connect(self, event: ConnectEvent) -> ConnectAnswer | None:
        """Authenticate a client; None when the application does not decide (06 §5)."""

    async def refresh(self, event: RefreshEvent) -> RefreshAnswer | None:
        """Refresh a connection; None ends it as expired (06 §6)."""

    async def subscribe(self, event: SubscribeEvent, resolved: Resolved) -> SubscribeAnswer:
        """Authorize a subscription (06 §7)."""

    async def open_stream(self, event: SubscribeEvent, resolved: Resolved) -> SubscriptionStream:
        """Authorize a subscription and open the stream that feeds it (06 §12)."""

    async def publish(self, event: PublishEvent, resolved: Resolved) -> PublishAnswer:
        """Authorize a publication (06 §8)."""

    async def sub_refresh(self, event: SubRefreshEvent, resolved: Resolved) -> SubRefreshAnswer | None:
        """Refresh a subscription; None ends it as expired (06 §10)."""

    async def rpc(self, event: RPCEvent) -> bytes:
        """Call an RPC method and return its result, empty for none (06 §11)."""

    async def message(self, event: MessageEvent) -> None:
        """Handle a message, which has no reply."""

    async def disconnect(self, event: DisconnectEvent) -> None:
        """Handle the end of a connection. Exceptions are ignored."""
