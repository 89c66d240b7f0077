"""Control messages over NATS (07 §14.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import NatsConnection

log = get_logger(__name__)


class NatsController:
    """One subject for all nodes, and one per node."""

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection
        self._is_permitted = True

    @property
    def outage(self) -> str:
        """See `RemoteEngine`.

        Also set while the server denies the subscription to control messages, which is retried with every connection.
        """
        return self._connection.outage or ("" if self._is_permitted else "control messages of NATS")

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._connection.silence

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """See `Controller.start`."""
        connection = self._connection
        connection.on_node_message = on_control

        def receive(_subject: str, payload: bytes) -> None:
            self._is_permitted = True
            on_control(payload)

        await connection.start()
        await connection.subscribe(connection.subjects.control, receive, self._on_denied, is_persistent=True)

    def _on_denied(self) -> None:
        if self._is_permitted:
            self._is_permitted = False
            log.error("NATS denies the subscription to control messages")

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """See `Controller.publish_control`."""
        subjects = self._connection.subjects
        await self._connection.publish(subjects.node(node) if node else subjects.control, message)

    async def close(self) -> None:
        """See `Controller.close`."""
        await self._connection.close()
