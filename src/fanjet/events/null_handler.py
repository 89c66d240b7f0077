"""An event handler for servers without application."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from fanjet.protocol.codes import ERROR_NOT_AVAILABLE, ReplyError

from .headers import NO_HEADERS

if TYPE_CHECKING:
    from fanjet.channels.namespaces import Resolved

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


class NoEvents:
    """Rejects every event with error 108."""

    kept_headers = NO_HEADERS
    decides_connect = False
    decides_refresh = False
    answers_rpc = False
    takes_messages = False
    wants_disconnects = False

    async def connect(self, _event: ConnectEvent) -> NoReturn:
        """Reject."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def refresh(self, _event: RefreshEvent) -> NoReturn:
        """Reject."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def subscribe(self, _event: SubscribeEvent, _resolved: Resolved) -> NoReturn:
        """Reject."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def open_stream(self, _event: SubscribeEvent, _resolved: Resolved) -> NoReturn:
        """Reject."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def publish(self, _event: PublishEvent, _resolved: Resolved) -> NoReturn:
        """Reject."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def sub_refresh(self, _event: SubRefreshEvent, _resolved: Resolved) -> NoReturn:
        """Reject."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def rpc(self, _event: RPCEvent) -> NoReturn:
        """Reject."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def message(self, _event: MessageEvent) -> NoReturn:
        """Reject."""
        raise ReplyError(ERROR_NOT_AVAILABLE)

    async def disconnect(self, _event: DisconnectEvent) -> None:
        """Ignore."""
