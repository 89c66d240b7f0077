"""Methods `publish` and `broadcast` (05 §6.1, §6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.engines.interfaces import Published
from fanjet.net.time_slicing import run_all, run_in_order

from .errors import BadRequest, as_api_error
from .payloads import payload_of
from .publish_options import publish_options
from .results import BroadcastResult, ErrorResult, PublishResponse, PublishResult

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .node import Node
    from .requests import BroadcastRequest, PublicationRequest, PublishRequest


def publish(node: Node, request: PublishRequest) -> Awaitable[PublishResult]:
    """Publish into one channel, with or without subscribers.

    Returns the result directly if it is available at once; may raise before it is awaited.
    """
    channel = request.channel
    if not channel:
        raise BadRequest
    data = payload_of(request.data, request.b64data)
    options = publish_options(node.resolve(channel), request, data)
    published = node.publish(channel, data, options)
    if isinstance(published, Published):
        return PublishResult(published.offset, published.epoch)
    return _result_of(published)


async def _result_of(publishing: Awaitable[Published]) -> PublishResult:
    published = await publishing
    return PublishResult(published.offset, published.epoch)


async def broadcast(node: Node, request: BroadcastRequest) -> BroadcastResult:
    """Publish the same data into many channels concurrently.

    A failure does not stop the others.
    """
    if not request.channels:
        raise BadRequest
    data = payload_of(request.data, request.b64data)
    run = run_in_order if node.keeps_order else run_all
    return BroadcastResult(await run(_response(node, channel, data, request) for channel in request.channels))


async def _response(node: Node, channel: str, data: bytes, request: PublicationRequest) -> PublishResponse:
    try:
        if not channel:
            raise BadRequest
        options = publish_options(node.resolve(channel), request, data)
        published = await node.publish(channel, data, options)
        return PublishResponse(result=PublishResult(published.offset, published.epoch))
    except Exception as failure:
        error = as_api_error(failure, "broadcast")
        return PublishResponse(error=ErrorResult(error.code, error.message))
