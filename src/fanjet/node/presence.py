"""A presence manager that counts calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from fanjet.engines.interfaces import PresenceManager
    from fanjet.protocol.publication import ClientInfo

    from .metrics import NodeMetrics


class CountedPresence:
    """A `PresenceManager` that returns the coroutines of another."""

    def __init__(self, manager: PresenceManager, metrics: NodeMetrics) -> None:
        self._manager = manager
        self._metrics = metrics

    def start(self) -> Coroutine[Any, Any, None]:
        """Connect."""
        return self._manager.start()

    def close(self) -> Coroutine[Any, Any, None]:
        """Disconnect."""
        return self._manager.close()

    def add(self, channel: str, client: str, info: ClientInfo) -> Coroutine[Any, Any, None]:
        """Insert or refresh an entry."""
        self._metrics.of(channel).count("add_presence")
        return self._manager.add(channel, client, info)

    def remove(self, channel: str, client: str, user: str) -> Coroutine[Any, Any, None]:
        """Remove an entry."""
        self._metrics.of(channel).count("remove_presence")
        return self._manager.remove(channel, client, user)

    def presence(self, channel: str) -> Coroutine[Any, Any, dict[str, ClientInfo]]:
        """All entries by client id."""
        self._metrics.of(channel).count("presence")
        return self._manager.presence(channel)

    def presence_stats(self, channel: str) -> Coroutine[Any, Any, tuple[int, int]]:
        """Number of clients, number of distinct users."""
        self._metrics.of(channel).count("presence_stats")
        return self._manager.presence_stats(channel)
