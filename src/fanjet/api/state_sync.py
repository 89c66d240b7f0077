"""Methods on map and shared-poll channels: checked as the contract has it, then not available (05 §6.15-6.20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from .errors import BadRequest, NotAvailable

if TYPE_CHECKING:
    from .node import Node
    from .requests import ChannelRequest, MapPublishRequest, MapRemoveRequest, SharedPollPublishRequest

_MAP_TYPES: Final = ("map", "map_clients", "map_users")


async def map_read(node: Node, request: ChannelRequest) -> NoReturn:
    """`map_read_state`, `map_read_stream`, `map_stats`, `map_clear`: these need a channel only."""
    if not request.channel:
        raise BadRequest
    _raise_unavailable(node, request.channel, _MAP_TYPES)


async def map_write(node: Node, request: MapPublishRequest | MapRemoveRequest) -> NoReturn:
    """`map_publish`, `map_remove`."""
    if not request.channel or not request.key:
        raise BadRequest
    _raise_unavailable(node, request.channel, _MAP_TYPES)


async def shared_poll_publish(node: Node, request: SharedPollPublishRequest) -> NoReturn:
    """A new version of a polled key."""
    if not request.channel or not request.key or request.version == 0:
        raise BadRequest
    _raise_unavailable(node, request.channel, ("shared_poll",))


def _raise_unavailable(node: Node, channel: str, types: tuple[str, ...]) -> NoReturn:
    raise NotAvailable if node.resolve(channel).subscription_type in types else BadRequest
