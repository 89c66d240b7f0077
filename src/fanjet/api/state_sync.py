"""Unavailable methods on map and shared-poll channels (05 §6.15-6.20).

Requests are validated as the contract requires before they are rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from .errors import BadRequest, NotAvailable

if TYPE_CHECKING:
    from .node import Node
    from .requests import ChannelRequest, MapPublishRequest, MapRemoveRequest, SharedPollPublishRequest

_MAP_TYPES: Final = ("map", "map_clients", "map_users")


async def map_read(node: Node, request: ChannelRequest) -> NoReturn:
    """Reject the map methods that need only a channel."""
    if not request.channel:
        raise BadRequest
    _raise_unavailable(node, request.channel, _MAP_TYPES)


async def map_write(node: Node, request: MapPublishRequest | MapRemoveRequest) -> NoReturn:
    """Reject `map_publish` and `map_remove`."""
    if not request.channel or not request.key:
        raise BadRequest
    _raise_unavailable(node, request.channel, _MAP_TYPES)


async def shared_poll_publish(node: Node, request: SharedPollPublishRequest) -> NoReturn:
    """Reject `shared_poll_publish`."""
    if not request.channel or not request.key or request.version == 0:
        raise BadRequest
    _raise_unavailable(node, request.channel, ("shared_poll",))


def _raise_unavailable(node: Node, channel: str, types: tuple[str, ...]) -> NoReturn:
    raise NotAvailable if node.resolve(channel).subscription_type in types else BadRequest
