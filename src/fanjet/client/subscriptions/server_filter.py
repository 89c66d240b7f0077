"""The server's tags filter of a subscription (03 §14.5, 11 §12)."""

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
    """Log an invalid filter from the backend, and return the error for the client."""
    log.error("invalid server tags filter", channel=channel, error=str(reason))
    return ReplyError(ERROR_INTERNAL)


def read_server_filter(channel: str, node: FilterNode | None) -> TagsFilter | None:
    """Parse a token's filter, None without one.

    Raises error 100 for an invalid filter.
    """
    try:
        return None if node is None else TagsFilter(node)
    except InvalidFilter as error:
        raise invalid_server_filter(channel, error) from None


def replace_server_filter(
    session: SessionInterface, subscription: Subscription, server_filter: TagsFilter | None
) -> None:
    """Replace the server's filter of future deliveries.

    The client's own filter still applies. None keeps the old one.
    """
    options, delivery = subscription.options, subscription.delivery
    if server_filter is None or server_filter == options.server_tags_filter:
        return
    client_filter = delivery.tags_filter
    if options.server_tags_filter is not None and client_filter is not None:
        client_filter = client_filter.intersected_with
    subscription.options = replace(options, server_tags_filter=server_filter)
    session.context.node.hub.change(
        subscription, replace(delivery, tags_filter=server_filter.intersection(client_filter))
    )
