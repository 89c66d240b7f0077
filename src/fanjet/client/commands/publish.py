"""Command `publish` (01 §6.4, 03 §4.3)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fanjet.channels.data_format import data_fits
from fanjet.channels.permissions import may_publish, may_publish_by_options
from fanjet.client.subscriptions.subscription import PublishGrant
from fanjet.engines.interfaces import Published, PublishOptions
from fanjet.net.aio import after
from fanjet.node.frames import info_is_json
from fanjet.protocol.codes import ERROR_BAD_REQUEST, ERROR_INTERNAL, ERROR_PERMISSION_DENIED, ReplyError
from fanjet.protocol.messages import PublishResult
from fanjet.protocol.publication import ClientInfo

from .channel_checks import active_subscription, resolved_channel
from .proxied import decides_publication, publish_by_application

if TYPE_CHECKING:
    from fanjet.channels.namespaces import Resolved
    from fanjet.client.session_interface import SessionInterface
    from fanjet.client.subscriptions.subscription import Subscription
    from fanjet.net.aio import Work
    from fanjet.protocol.codes import Error
    from fanjet.protocol.messages import PublishRequest

DONE = PublishResult()
MAP_PUBLISH = 1


def publish(session: SessionInterface, command_id: int, request: PublishRequest) -> Work | None:
    """Publish in the client's name, with the namespace's history options."""
    channel, data = request.channel, bytes(request.data)
    node = session.context.node
    subscription = session.subscriptions.get(channel)
    if (
        subscription is None
        or (grant := subscription.publish_grant) is None
        or grant.generation is not node.namespaces.generation
        or grant.info.conn_info is not session.info
        or grant.info.chan_info is not subscription.chan_info
        or not data
        or request.type == MAP_PUBLISH
    ):
        resolved = resolved_channel(session, channel)
        _check_data(session, request, resolved, data)
        if decides_publication(resolved.options):
            return _publish_by_application(session, command_id, resolved, data)
        grant = _authorize_publish(session, resolved, active_subscription(session, channel))
    published = node.publish(channel, data, grant.how)
    if not isinstance(published, Published):
        return after(published, partial(_answer, session, command_id, channel))
    session.reply(command_id, DONE, channel)
    return None


def _answer(session: SessionInterface, command_id: int, channel: str, _published: Published) -> None:
    session.cork()  # the command has not ended yet; its end writes the reply
    session.reply(command_id, DONE, channel)


def _check_data(session: SessionInterface, request: PublishRequest, resolved: Resolved, data: bytes) -> None:
    """Raises `ReplyError` for a publication that the channel does not accept."""
    if request.type == MAP_PUBLISH:
        raise ReplyError(_refuse_map_publish(session, request))
    data_format = resolved.options.publication_data_format
    if (data_format or not data) and not data_fits(data_format, data):
        raise ReplyError(ERROR_BAD_REQUEST)


def _authorize_publish(
    session: SessionInterface, resolved: Resolved, subscription: Subscription | None
) -> PublishGrant:
    """Return the client's publish options for the channel.

    They are cached on a subscription that permits publishing, if the data format is not restricted. Raises error 103.
    """
    if not may_publish(
        resolved,
        session,
        subscribed=subscription is not None,
        insecure=session.context.config.insecure,
        allowed=() if subscription is None else subscription.options.allow,
    ):
        raise ReplyError(ERROR_PERMISSION_DENIED)
    options = resolved.options
    chan_info = b"" if subscription is None else subscription.chan_info
    info = ClientInfo(session.user, session.client_id, session.info, chan_info)
    size = options.history_size
    how = PublishOptions(
        size,
        int(options.history_ttl) if size else 0,
        int(options.history_meta_ttl) if size else 0,
        info=info,
        use_delta=options.delta_publish,
        is_json=session.transport.wire.codec.pushes_json and info_is_json(info),  # then commands are JSON too
    )
    grant = PublishGrant(session.context.node.namespaces.generation, info, how)
    if (
        subscription is not None
        and may_publish_by_options(options, session.user, subscribed=True)
        and not options.publication_data_format
    ):
        subscription.publish_grant = grant
    return grant


async def _publish_by_application(session: SessionInterface, command_id: int, resolved: Resolved, data: bytes) -> None:
    await publish_by_application(session, resolved, data)
    session.reply(command_id, DONE, resolved.channel)


def _refuse_map_publish(session: SessionInterface, request: PublishRequest) -> Error:
    """Return the error for a map publish.

    A stream has no keys, regardless of permissions.
    """
    if not session.context.config.insecure:
        return ERROR_PERMISSION_DENIED
    return ERROR_INTERNAL if request.key else ERROR_BAD_REQUEST
