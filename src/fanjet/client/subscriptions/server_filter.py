"""The tags filter that the server puts on a subscription (03 §14.5, 11 §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanjet.protocol.codes import ERROR_INTERNAL, ReplyError
from fanjet.protocol.tags_filter import InvalidFilter, TagsFilter
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.client.session_interface import SessionInterface
    from fanjet.protocol.messages import FilterNode

    from .subscription import Subscription

log = get_logger(__name__)


def invalid_server_filter(channel: str, reason: InvalidFilter) -> ReplyError:
    """Log the backend's mistake, and return what its client is told."""
    log.error("invalid server tags filter", channel=channel, error=str(reason))
    return ReplyError(ERROR_INTERNAL)


def read_server_filter(channel: str, node: FilterNode | None) -> TagsFilter | None:
    """The filter that a token brings, if it does. Raises error 100 for an invalid one."""
    try:
        return None if node is None else TagsFilter(node)
    except InvalidFilter as error:
        raise invalid_server_filter(channel, error) from None


def replace_server_filter(
    session: SessionInterface, subscription: Subscription, server_filter: TagsFilter | None
) -> None:
    """Filter what is delivered from now on anew; the client's own filter still narrows it. None keeps the old one."""
    options, delivery = subscription.options, subscription.delivery
    if server_filter is None or server_filter == options.server_tags_filter:
        return
    narrowing = delivery.tags_filter
    if options.server_tags_filter is not None and narrowing is not None:
        narrowing = narrowing.narrowing
    subscription.options = replace(options, server_tags_filter=server_filter)
    session.context.node.hub.change(subscription, replace(delivery, tags_filter=server_filter.narrowed(narrowing)))
