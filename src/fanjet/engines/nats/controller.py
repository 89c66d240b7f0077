"""Control messages over NATS (07 §14.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import NatsConnection


class NatsController:
    """Everybody hears one subject, each node another one."""

    def __init__(self, connection: NatsConnection, prefix: str, uid: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._uid = uid

    @property
    def lost(self) -> str:
        """See `Remote`."""
        return self._connection.lost

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """See `Controller.start`."""
        await self._connection.start()

        def receive(_subject: str, payload: bytes) -> None:
            on_control(payload)

        await self._connection.subscribe(self._subject(""), receive)
        await self._connection.subscribe(self._subject(self._uid), receive)

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """See `Controller.publish_control`."""
        await self._connection.publish(self._subject(node), message)

    async def close(self) -> None:
        """See `Controller.close`."""
        await self._connection.close()

    def _subject(self, node: str) -> str:
        return f"{self._prefix}.node.{node}" if node else f"{self._prefix}.control"
