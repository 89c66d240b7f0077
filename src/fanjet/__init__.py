"""Fanjet: a self-hosted real-time messaging server.

Also the library to embed one in a Python program.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanjet.api.errors import ApiError, BadRequest, NotFound
    from fanjet.config import Config, ConfigError
    from fanjet.embed.api import Position, ServerApi
    from fanjet.embed.server import Server
    from fanjet.events.event import (
        ConnectEvent,
        DisconnectEvent,
        MessageEvent,
        PublishEvent,
        RefreshEvent,
        RPCEvent,
        SubRefreshEvent,
        SubscribeEvent,
    )
    from fanjet.events.handlers.refusals import ClientError, DisconnectClient, PermissionDenied
    from fanjet.events.handlers.replies import (
        ChannelGrant,
        ConnectReply,
        PublishReply,
        RefreshReply,
        SubRefreshReply,
        SubscribeReply,
        SubscriptionOverride,
    )
    from fanjet.events.handlers.stream import Received, StreamedPublication
    from fanjet.protocol.capability import Capability

__version__ = version("fanjet")

__all__ = [
    "ApiError",
    "BadRequest",
    "Capability",
    "ChannelGrant",
    "ClientError",
    "Config",
    "ConfigError",
    "ConnectEvent",
    "ConnectReply",
    "DisconnectClient",
    "DisconnectEvent",
    "MessageEvent",
    "NotFound",
    "PermissionDenied",
    "Position",
    "PublishEvent",
    "PublishReply",
    "RPCEvent",
    "Received",
    "RefreshEvent",
    "RefreshReply",
    "Server",
    "ServerApi",
    "StreamedPublication",
    "SubRefreshEvent",
    "SubRefreshReply",
    "SubscribeEvent",
    "SubscribeReply",
    "SubscriptionOverride",
    "__version__",
]

_HOMES = {
    "fanjet.api.errors": ("ApiError", "BadRequest", "NotFound"),
    "fanjet.config": ("Config", "ConfigError"),
    "fanjet.embed.api": ("Position", "ServerApi"),
    "fanjet.embed.server": ("Server",),
    "fanjet.events.event": tuple(name for name in __all__ if name.endswith("Event")),
    "fanjet.events.handlers.refusals": ("ClientError", "DisconnectClient", "PermissionDenied"),
    "fanjet.events.handlers.replies": (
        "ChannelGrant",
        "SubscriptionOverride",
        *(name for name in __all__ if name.endswith("Reply")),
    ),
    "fanjet.events.handlers.stream": ("Received", "StreamedPublication"),
    "fanjet.protocol.capability": ("Capability",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import the embedding classes on first access.

    The commands need none of them.
    """
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
