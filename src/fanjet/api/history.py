"""Methods `history` and `history_remove` (05 §6.9, §6.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.protocol.publication import StreamPosition

from .errors import BadRequest, NotAvailable
from .results import EmptyResult, HistoryResult, Publication, client_info, optional_payload

if TYPE_CHECKING:
    from fanjet.config.tree.channel import ChannelOptions
    from fanjet.protocol import publication

    from .node import Node
    from .requests import HistoryRemoveRequest, HistoryRequest


async def history(node: Node, request: HistoryRequest) -> HistoryResult:
    """Read the stream of a channel, without the page limit that applies to clients."""
    options = _require_history(node, request.channel)
    since = request.since
    read = await node.history(
        request.channel,
        since=None if since is None else StreamPosition(since.offset, since.epoch),
        limit=request.limit,
        reverse=request.reverse,
        meta_ttl=int(options.history_meta_ttl),
    )
    return HistoryResult([_publication(one) for one in read.publications], read.top.epoch, read.top.offset)


async def history_remove(node: Node, request: HistoryRemoveRequest) -> EmptyResult:
    """Remove the retained publications; offset and epoch stay."""
    _require_history(node, request.channel)
    await node.remove_history(request.channel)
    return EmptyResult()


def _require_history(node: Node, channel: str) -> ChannelOptions:
    if not channel:
        raise BadRequest
    options = node.resolve(channel)
    if options.history_size <= 0 or options.history_ttl <= 0:
        raise NotAvailable
    return options


def _publication(stored: publication.Publication) -> Publication:
    return Publication(
        data=optional_payload(stored.data),
        info=None if stored.info is None else client_info(stored.info),
        offset=stored.offset,
        tags=stored.tags or None,
    )
