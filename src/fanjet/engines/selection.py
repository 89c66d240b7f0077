"""Which engines the configuration asks for (07 §1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from .memory import MemoryBroker, MemoryPresenceManager

if TYPE_CHECKING:
    from fanjet.config import Config

    from .interfaces import Broker, BrokerEvents, Controller, PresenceManager


class Engines(Struct, frozen=True):
    """What a node works with. Without a controller it is alone."""

    broker: Broker
    presence_manager: PresenceManager
    controller: Controller | None = None


def open_engines(config: Config, events: BrokerEvents, _uid: str) -> Engines:
    """Make the engines, which connect when they are started. The configuration is valid; `_uid` is the node's id, by
    which others address it."""
    return Engines(MemoryBroker(events, history_meta_ttl=int(config.channel.history_meta_ttl)), MemoryPresenceManager())
