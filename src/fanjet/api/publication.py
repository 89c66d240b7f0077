"""Methods `publish` and `broadcast` (05 §6.1, §6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.channels.data_format import data_fits
from fanjet.channels.subscription import is_stream
from fanjet.engines.interfaces import PublishOptions

from .errors import BadRequest, as_api_error
from .pacing import run_all
from .payloads import payload_of
from .results import BroadcastResult, ErrorResult, PublishResponse, PublishResult

if TYPE_CHECKING:
    from fanjet.config.tree.channel import ChannelOptions

    from .node import Node
    from .requests import BroadcastRequest, Publishing, PublishRequest


async def publish(node: Node, request: PublishRequest) -> PublishResult:
    """Publish into one channel, whether or not anybody is subscribed."""
    if not request.channel:
        raise BadRequest
    return await _publish_into(node, request.channel, payload_of(request.data, request.b64data), request)


async def broadcast(node: Node, request: BroadcastRequest) -> BroadcastResult:
    """Publish the same into many channels, side by side. One that fails does not stop the others."""
    if not request.channels:
        raise BadRequest
    data = payload_of(request.data, request.b64data)
    return BroadcastResult(await run_all(_response(node, channel, data, request) for channel in request.channels))


async def _response(node: Node, channel: str, data: bytes, request: Publishing) -> PublishResponse:
    try:
        if not channel:
            raise BadRequest
        return PublishResponse(result=await _publish_into(node, channel, data, request))
    except Exception as failure:
        error = as_api_error(failure, "broadcast")
        return PublishResponse(error=ErrorResult(error.code, error.message))


async def _publish_into(node: Node, channel: str, data: bytes, request: Publishing) -> PublishResult:
    options = node.resolve(channel)
    if not is_stream(options) or not data_fits(options.publication_data_format, data):
        raise BadRequest
    position = (await node.publish(channel, data, _publish_options(options, request))).position
    return PublishResult(position.offset, position.epoch)


def _publish_options(options: ChannelOptions, request: Publishing) -> PublishOptions:
    keeps = not request.skip_history
    return PublishOptions(
        history_size=options.history_size if keeps else 0,
        history_ttl=int(options.history_ttl) if keeps else 0,
        history_meta_ttl=int(options.history_meta_ttl),
        tags=request.tags or None,
        idempotency_key=request.idempotency_key,
        use_delta=request.delta or options.delta_publish,
        version=request.version,
        version_epoch=request.version_epoch,
    )
