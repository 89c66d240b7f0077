"""Routes channels to the broker and presence manager of their namespace.

Specified in 07 §22.1.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from fanjet.protocol.codes import ReplyError

from .interfaces import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

    from fanjet.protocol.publication import ClientInfo, StreamPosition

    from .interfaces import Broker, History, PresenceManager, Published, PublishOptions

    NameOf = Callable[[str], str]


E = TypeVar("E")


class RoutedBroker:
    """Delegates every call to the broker of the channel.

    `name_of` returns the broker's name, empty for the default one; it is called each time, because namespaces change on
    reload.

    A channel is unsubscribed from the broker on which it was subscribed.
    """

    keeps_history = True

    def __init__(self, default: Broker, named: Mapping[str, Broker], name_of: NameOf) -> None:
        self.by_name: dict[str, Broker] = {"": default, **named}
        # If one broker does not, positions are checked for all, which costs the others an occasional read.
        self.delivers_reliably = all(broker.delivers_reliably for broker in self.by_name.values())
        self._name_of = name_of
        self._subscribed: dict[str, Broker] = {}

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return _outages(self.by_name.values())

    async def start(self) -> None:
        """See `Broker.start`."""
        await asyncio.gather(*(broker.start() for broker in self.by_name.values()))

    async def close(self) -> None:
        """See `Broker.close`."""
        await asyncio.gather(*(broker.close() for broker in self.by_name.values()))

    def subscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.subscribe`."""
        broker = self._broker_of(channel)
        previous = self._subscribed.get(channel)
        self._subscribed[channel] = broker
        if previous is None or previous is broker:
            return broker.subscribe(channel)
        return self._resubscribe(previous, broker, channel)

    async def _resubscribe(self, previous: Broker, broker: Broker, channel: str) -> None:
        with suppress(EngineUnavailable):  # its publications have another epoch, and are dropped
            await previous.unsubscribe(channel)
        await broker.subscribe(channel)

    def unsubscribe(self, channel: str) -> Awaitable[None]:
        """See `Broker.unsubscribe`."""
        default = self.by_name[""]
        broker = self._subscribed.get(channel, default)
        if broker is not default:
            return self._unsubscribe_at(broker, channel)
        self._subscribed.pop(channel, None)
        return default.unsubscribe(channel)

    def is_misrouted(self, channel: str) -> bool:
        """See `ReroutableBroker`."""
        subscribed = self._subscribed.get(channel)
        try:
            return subscribed is not None and self._broker_of(channel) is not subscribed
        except (ReplyError, EngineUnavailable):
            return False  # its namespace no longer exists

    async def _unsubscribe_at(self, broker: Broker, channel: str) -> None:
        await broker.unsubscribe(channel)
        self._subscribed.pop(channel, None)

    def publish(self, channel: str, data: bytes, options: PublishOptions) -> Awaitable[Published]:
        """See `Broker.publish`."""
        return self._broker_of(channel).publish(channel, data, options)

    def publish_join(self, channel: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """See `Broker.publish_join`."""
        return self._broker_of(channel).publish_join(channel, info)

    def publish_leave(self, channel: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """See `Broker.publish_leave`."""
        return self._broker_of(channel).publish_leave(channel, info)

    def history(
        self,
        channel: str,
        *,
        since: StreamPosition | None = None,
        limit: int = -1,
        reverse: bool = False,
        meta_ttl: int = 0,
    ) -> Coroutine[Any, Any, History]:
        """See `Broker.history`."""
        broker = self._broker_of(channel)
        return broker.history(channel, since=since, limit=limit, reverse=reverse, meta_ttl=meta_ttl)

    def remove_history(self, channel: str) -> Coroutine[Any, Any, None]:
        """See `Broker.remove_history`."""
        return self._broker_of(channel).remove_history(channel)

    def _broker_of(self, channel: str) -> Broker:
        return _named(self.by_name, self._name_of(channel), "broker")


class RoutedPresenceManager:
    """Delegates every call to the presence manager of the channel; see `RoutedBroker`."""

    def __init__(self, default: PresenceManager, named: Mapping[str, PresenceManager], name_of: NameOf) -> None:
        self._managers = {"": default, **named}
        self._name_of = name_of

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return _outages(self._managers.values())

    async def start(self) -> None:
        """See `PresenceManager.start`."""
        await asyncio.gather(*(manager.start() for manager in self._managers.values()))

    async def close(self) -> None:
        """See `PresenceManager.close`."""
        await asyncio.gather(*(manager.close() for manager in self._managers.values()))

    def add(self, channel: str, client: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """See `PresenceManager.add`."""
        return self._manager_of(channel).add(channel, client, info)

    def remove(self, channel: str, client: str, user: str) -> Coroutine[Any, Any, None]:
        """See `PresenceManager.remove`."""
        return self._manager_of(channel).remove(channel, client, user)

    def presence(self, channel: str) -> Coroutine[Any, Any, dict[str, ClientInfo]]:
        """See `PresenceManager.presence`."""
        return self._manager_of(channel).presence(channel)

    def presence_stats(self, channel: str) -> Coroutine[Any, Any, tuple[int, int]]:
        """See `PresenceManager.presence_stats`."""
        return self._manager_of(channel).presence_stats(channel)

    def _manager_of(self, channel: str) -> PresenceManager:
        return _named(self._managers, self._name_of(channel), "presence manager")


def brokers_by_name(broker: Broker) -> Mapping[str, Broker]:
    """All brokers by name; the default broker has an empty one."""
    return broker.by_name if isinstance(broker, RoutedBroker) else {"": broker}


def _outages(engines: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(outage for engine in engines if (outage := getattr(engine, "outage", ""))))


def _named(engines: Mapping[str, E], name: str, kind: str) -> E:
    """The engine with this name.

    Raises `EngineUnavailable` for a name added by a reload: engines are created at start only.
    """
    try:
        return engines[name]
    except KeyError:
        raise EngineUnavailable(f"there was no {kind} {name!r} when the server started") from None
