"""The memory presence manager (07 §3.5)."""

from fanjet.protocol.publication import ClientInfo


class MemoryPresenceManager:
    """Presence in this process.

    Entries never expire: a connection removes its entries when it ends.
    """

    def __init__(self) -> None:
        self._channels: dict[str, dict[str, ClientInfo]] = {}

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to disconnect from."""

    async def add(self, channel: str, client: str, info: ClientInfo) -> None:
        """See `PresenceManager.add`."""
        entries = self._channels.get(channel)
        if entries is None:
            entries = self._channels[channel] = {}
        entries[client] = info

    async def remove(self, channel: str, client: str, user: str) -> None:
        """See `PresenceManager.remove`."""
        entries = self._channels.get(channel)
        if entries is not None and entries.pop(client, None) is not None and not entries:
            del self._channels[channel]

    async def presence(self, channel: str) -> dict[str, ClientInfo]:
        """See `PresenceManager.presence`.

        Returns a copy, which later changes do not affect.
        """
        return dict(self._channels.get(channel, ()))

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        """See `PresenceManager.presence_stats`. Anonymous connections count as one user."""
        entries = self._channels.get(channel)
        if entries is None:
            return 0, 0
        return len(entries), len({info.user for info in entries.values()})
