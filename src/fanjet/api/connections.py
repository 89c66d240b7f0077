"""Methods on live connections, from `subscribe` to `refresh` (05 §6.3-6.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.channels.subscription import from_server_api, is_stream
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.protocol.codes import DISCONNECT_FORCE, UNSUBSCRIBE_SERVER, Disconnect
from fanjet.protocol.publication import StreamPosition

from .errors import BadRequest
from .payloads import payload_of
from .results import EmptyResult

if TYPE_CHECKING:
    from .node import Node
    from .requests import DisconnectRequest, RefreshRequest, SubscribeRequest, UnsubscribeRequest


async def subscribe(node: Node, request: SubscribeRequest) -> EmptyResult:
    """Create or renew server-side subscriptions for the matching connections."""
    if not request.channel:
        raise BadRequest
    options = node.resolve(request.channel)
    if not is_stream(options):
        raise BadRequest
    since = request.recover_since
    await node.subscribe(
        ConnectionFilter(request.user, request.client, request.session),
        request.channel,
        from_server_api(
            options,
            data=payload_of(request.data, request.b64data),
            info=payload_of(request.info, request.b64info),
            expire_at=request.expire_at,
            override=request.override,
        ),
        None if since is None else StreamPosition(since.offset, since.epoch),
    )
    return EmptyResult()


async def unsubscribe(node: Node, request: UnsubscribeRequest) -> EmptyResult:
    """End subscriptions, including client-side ones.

    Does nothing without a channel (05 Q2).
    """
    if request.channel:
        node.resolve(request.channel)
        connection_filter = ConnectionFilter(request.user, request.client, request.session)
        await node.unsubscribe(connection_filter, request.channel, UNSUBSCRIBE_SERVER)
    return EmptyResult()


async def disconnect(node: Node, request: DisconnectRequest) -> EmptyResult:
    """Close the matching connections, possibly some time after the response."""
    custom = request.disconnect
    await node.disconnect(
        ConnectionFilter(request.user, request.client, request.session, dict.fromkeys(request.whitelist)),
        DISCONNECT_FORCE if custom is None else Disconnect(custom.code, custom.reason),
    )
    return EmptyResult()


async def refresh(node: Node, request: RefreshRequest) -> EmptyResult:
    """Change the expiry of the matching connections."""
    await node.refresh(
        ConnectionFilter(request.user, request.client, request.session),
        expired=request.expired,
        expire_at=request.expire_at,
        info=bytes(request.info),
    )
    return EmptyResult()
