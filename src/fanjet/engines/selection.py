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


def open_engines(config: Config, events: BrokerEvents, uid: str) -> Engines:
    """Make the engines, which connect when they are started. The configuration is valid; `uid` is the node's id, by
    which others address it."""
    broker, controller = _open_broker(config, events, uid)
    return Engines(broker, MemoryPresenceManager(), controller)


def _open_broker(config: Config, events: BrokerEvents, uid: str) -> tuple[Broker, Controller | None]:
    """The broker, with the controller that comes with it. Libraries of remote ones are extras, loaded only here."""
    if config.broker.enabled and config.broker.type == "nats":
        from .nats import NatsBroker, NatsConnection, NatsController  # noqa: PLC0415

        settings = config.broker.nats
        connection = NatsConnection(settings)
        return NatsBroker(connection, settings, events), NatsController(connection, settings.prefix, uid)
    return MemoryBroker(events, history_meta_ttl=int(config.channel.history_meta_ttl)), None
