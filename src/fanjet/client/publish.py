"""Command `publish` (01 §6.4, 03 §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.channels.data_format import data_fits
from fanjet.channels.permissions import may_publish
from fanjet.engines.interfaces import Published, PublishOptions
from fanjet.net.eager import after
from fanjet.protocol.codes import ERROR_BAD_REQUEST, ERROR_INTERNAL, ERROR_PERMISSION_DENIED, ReplyError
from fanjet.protocol.messages import PublishResult
from fanjet.protocol.publication import ClientInfo

from .application import decides_publication, publish_by_application
from .channel_checks import active_subscription, resolved_channel

if TYPE_CHECKING:
    from fanjet.channels.namespaces import Resolved
    from fanjet.net.eager import Work
    from fanjet.protocol.codes import Error
    from fanjet.protocol.messages import PublishRequest

    from .session import Session

DONE = PublishResult()
MAP_PUBLISH = 1


def publish(session: Session, command_id: int, request: PublishRequest) -> Work | None:
    """Publish in the client's name, with the namespace's history options."""
    channel = request.channel
    resolved = resolved_channel(session, channel)
    options = resolved.options
    if request.type == MAP_PUBLISH:
        raise ReplyError(_refuse_map_publish(session, request))
    data = bytes(request.data)
    data_format = options.publication_data_format
    if (data_format or not data) and not data_fits(data_format, data):
        raise ReplyError(ERROR_BAD_REQUEST)
    if decides_publication(options):
        return _publish_by_application(session, command_id, resolved, data)
    subscription = active_subscription(session, channel)
    if not may_publish(
        resolved,
        session,
        subscribed=subscription is not None,
        insecure=session.context.config.insecure,
        allowed=() if subscription is None else subscription.options.allow,
    ):
        raise ReplyError(ERROR_PERMISSION_DENIED)
    chan_info = b"" if subscription is None else subscription.chan_info
    info = ClientInfo(session.user, session.client_id, session.info, chan_info)
    delta = options.delta_publish
    is_json = session.transport.wire.codec.pushes_json  # then commands are JSON, too
    if options.history_size:
        how = PublishOptions(
            options.history_size,
            int(options.history_ttl),
            int(options.history_meta_ttl),
            info=info,
            use_delta=delta,
            is_json=is_json,
        )
    else:
        how = PublishOptions(info=info, use_delta=delta, is_json=is_json)
    published = session.context.node.publish(channel, data, how)
    if not isinstance(published, Published):
        return after(published, lambda _: session.reply(command_id, DONE, channel))
    session.reply(command_id, DONE, channel)
    return None


async def _publish_by_application(session: Session, command_id: int, resolved: Resolved, data: bytes) -> None:
    await publish_by_application(session, resolved, data)
    session.reply(command_id, DONE, resolved.channel)


def _refuse_map_publish(session: Session, request: PublishRequest) -> Error:
    """The channel is a stream: it has no keys to publish to, whatever its permissions say."""
    if not session.context.config.insecure:
        return ERROR_PERMISSION_DENIED
    return ERROR_INTERNAL if request.key else ERROR_BAD_REQUEST
