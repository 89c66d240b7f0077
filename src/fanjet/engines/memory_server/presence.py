"""The presence manager of a worker: the one of the engine's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.engines.interfaces import EngineUnavailable

from .messages import AddPresence, ReadPresence, ReadPresenceStats, RemovePresence

if TYPE_CHECKING:
    from fanjet.protocol.publication import ClientInfo

    from .engine_client import EngineLink


class SharedPresenceManager:
    """Entries last as long as their worker: when it is gone, so are they, and after a loss of the engine they are told
    again."""

    def __init__(self, link: EngineLink) -> None:
        self._link = link

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._link.outage

    async def start(self) -> None:
        """See `PresenceManager.start`."""
        await self._link.start()

    async def close(self) -> None:
        """See `PresenceManager.close`."""
        await self._link.close()

    async def add(self, channel: str, client: str, info: ClientInfo) -> None:
        """See `PresenceManager.add`."""
        entries = self._link.present.setdefault(channel, {})
        known = client in entries
        entries[client] = info
        try:
            await self._link.call(AddPresence(channel, client, info))
        except EngineUnavailable:
            if not known:
                self._forget(channel, client)
            raise

    async def remove(self, channel: str, client: str, user: str) -> None:
        """See `PresenceManager.remove`."""
        self._forget(channel, client)
        await self._link.call(RemovePresence(channel, client, user))

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """See `PresenceManager.presence`."""
        answer = await self._link.call(ReadPresence(channel))
        return dict(answer.entries)

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """See `PresenceManager.presence_stats`."""
        answer = await self._link.call(ReadPresenceStats(channel))
        return answer.clients, answer.users

    def _forget(self, channel: str, client: str) -> None:
        entries = self._link.present.get(channel)
        if entries is not None and entries.pop(client, None) is not None and not entries:
            del self._link.present[channel]
