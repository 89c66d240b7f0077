"""Subscriptions and publications authorized by the application (06 §7, §8, §12)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fanjet.channels.subscription import Source, SubscriptionOptions, from_grant, from_stream_grant
from fanjet.client.event_calls import call_event, event_fields
from fanjet.client.subscriptions.server_filter import invalid_server_filter
from fanjet.client.subscriptions.subscription import Subscription
from fanjet.engines.interfaces import PublishOptions
from fanjet.events.event import PublishEvent, SubscribeEvent
from fanjet.node.subscriber import Delivery
from fanjet.protocol.codes import (
    DISCONNECT_CONNECTION_CLOSED,
    ERROR_NOT_AVAILABLE,
    Disconnected,
    ReplyError,
)
from fanjet.protocol.publication import ClientInfo
from fanjet.protocol.tags_filter import InvalidFilter

from .channel_checks import active_subscription

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanjet.channels.namespaces import Resolved
    from fanjet.client.session_interface import SessionInterface
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.events.answer import PublishAnswer
    from fanjet.events.stream import SubscriptionStream
    from fanjet.protocol.messages import SubscribeRequest


def decides_subscription(resolved: Resolved) -> bool:
    """Whether the application authorizes subscriptions without token.

    It does not for channels that name their users.
    """
    options = resolved.options
    proxied = options.subscribe_proxy_enabled or options.subscribe_stream_proxy_enabled
    return proxied and not resolved.is_user_limited


async def authorize_subscription(
    session: SessionInterface, request: SubscribeRequest, resolved: Resolved
) -> tuple[SubscriptionOptions, SubscriptionStream | None]:
    """Call the application; return the subscription's options and its stream, if any.

    The stream, if there is one, feeds the subscription. The channel is reserved meanwhile. Raises the handler's
    exceptions, and `Disconnected` when the connection has ended.
    """
    events = session.context.events
    event = SubscribeEvent(**event_fields(session), channel=request.channel, data=bytes(request.data))
    stream = None
    with _reserved(session, request.channel):
        if resolved.options.subscribe_proxy_enabled:
            answer = await call_event(session, events.subscribe(event, resolved))
        else:
            stream = await call_event(session, events.open_stream(event, resolved))
    if session.closed:
        if stream is not None:
            stream.cancel()
        raise Disconnected(DISCONNECT_CONNECTION_CLOSED)
    if stream is not None:
        return from_stream_grant(resolved.options, stream.answer, expire_at=stream.answer.expire_at), stream
    try:
        options = from_grant(
            resolved.options, Source.SUBSCRIBE_PROXY, answer, expire_at=answer.expire_at, allow=answer.allow
        )
    except InvalidFilter as error:
        raise invalid_server_filter(request.channel, error) from None
    return options, None


@contextmanager
def _reserved(session: SessionInterface, channel: str) -> Iterator[None]:
    """Reserve the channel on the connection by a placeholder.

    No other attempt starts meanwhile.
    """
    delivery = Delivery(session.transport.wire, False, False, False, False, None)
    options = SubscriptionOptions(Source.UNKNOWN)
    placeholder = Subscription(session=session, channel=channel, delivery=delivery, options=options, server_side=False)
    session.subscriptions[channel] = placeholder
    try:
        yield
    finally:
        if session.subscriptions.get(channel) is placeholder:
            del session.subscriptions[channel]
        placeholder.settle()


def decides_publication(options: ChannelOptions) -> bool:
    """Whether the application authorizes clients' publications."""
    return options.publish_proxy_enabled or options.subscribe_stream_proxy_enabled


async def publish_by_application(session: SessionInterface, resolved: Resolved, data: bytes) -> None:
    """Publish with the application's options, or send the data to a stream.

    The stream is the one that feeds the subscription.
    """
    channel = resolved.channel
    if not resolved.options.publish_proxy_enabled:
        await _send_to_stream(session, channel, data)
        return
    event = PublishEvent(**event_fields(session), channel=channel, data=data)
    answer = await call_event(session, session.context.events.publish(event, resolved))
    how = _publish_options(session, resolved, answer)
    await session.context.node.publish(channel, data if answer.data is None else answer.data, how)


async def _send_to_stream(session: SessionInterface, channel: str, data: bytes) -> None:
    subscription = active_subscription(session, channel)
    if subscription is None or subscription.stream is None:
        raise ReplyError(ERROR_NOT_AVAILABLE)
    await call_event(session, subscription.stream.send(data))


def _publish_options(session: SessionInterface, resolved: Resolved, answer: PublishAnswer) -> PublishOptions:
    """The namespace's `delta_publish` does not apply here (06 P4)."""
    options = resolved.options
    subscription = active_subscription(session, resolved.channel)
    chan_info = b"" if subscription is None else subscription.chan_info
    keeps = not answer.skip_history
    return PublishOptions(
        history_size=options.history_size if keeps else 0,
        history_ttl=int(options.history_ttl) if keeps else 0,
        history_meta_ttl=int(options.history_meta_ttl),
        info=ClientInfo(session.user, session.client_id, session.info, chan_info),
        tags=dict(answer.tags) if answer.tags else None,
        idempotency_key=answer.idempotency_key,
        use_delta=answer.delta,
        version=answer.version,
        version_epoch=answer.version_epoch,
    )
