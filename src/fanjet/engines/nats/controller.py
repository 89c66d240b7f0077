"""Control messages over NATS (07 §14.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import NatsConnection


class NatsController:
    """Everybody hears one subject, each node another one."""

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection

    @property
    def lost(self) -> str:
        """See `Remote`."""
        return self._connection.lost

    @property
    def silence(self) -> float:
        """See `Heard`."""
        return self._connection.silence

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """See `Controller.start`."""
        connection = self._connection
        connection.on_node_message = on_control

        def receive(_subject: str, payload: bytes) -> None:
            on_control(payload)

        await connection.start()
        await connection.subscribe(connection.subjects.control, receive)

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """See `Controller.publish_control`."""
        subjects = self._connection.subjects
        await self._connection.publish(subjects.node(node) if node else subjects.control, message)

    async def close(self) -> None:
        """See `Controller.close`."""
        await self._connection.close()
