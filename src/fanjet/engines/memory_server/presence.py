"""The presence manager of a worker: forwards to the one in the engine's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.engines.interfaces import EngineUnavailable

from .messages import AddPresence, ReadPresence, ReadPresenceStats, RemovePresence

if TYPE_CHECKING:
    from fanjet.protocol.publication import ClientInfo

    from .engine_client import EngineClient


class SharedPresenceManager:
    """The presence manager of a worker, with entries in the engine's process.

    Entries live as long as their worker's connection: the engine drops them with it, and the worker adds them again
    over the next one.
    """

    def __init__(self, engine: EngineClient) -> None:
        self._engine = engine

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._engine.outage

    async def start(self) -> None:
        """See `PresenceManager.start`."""
        await self._engine.start()

    async def close(self) -> None:
        """See `PresenceManager.close`."""
        await self._engine.close()

    async def add(self, channel: str, client: str, info: ClientInfo) -> None:
        """See `PresenceManager.add`."""
        entries = self._engine.presence_entries.setdefault(channel, {})
        known = client in entries
        entries[client] = info
        try:
            await self._engine.call(AddPresence(channel, client, info))
        except EngineUnavailable:
            if not known:
                self._forget(channel, client)
            raise

    async def remove(self, channel: str, client: str, user: str) -> None:
        """See `PresenceManager.remove`."""
        self._forget(channel, client)
        await self._engine.call(RemovePresence(channel, client, user))

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """See `PresenceManager.presence`."""
        reply = await self._engine.call(ReadPresence(channel))
        return dict(reply.entries)

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """See `PresenceManager.presence_stats`."""
        reply = await self._engine.call(ReadPresenceStats(channel))
        return reply.clients, reply.users

    def _forget(self, channel: str, client: str) -> None:
        entries = self._engine.presence_entries.get(channel)
        if entries is not None and entries.pop(client, None) is not None and not entries:
            del self._engine.presence_entries[channel]
