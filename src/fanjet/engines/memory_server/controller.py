"""The controller of a worker.

The engine's process forwards control messages between workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .messages import PublishControl

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine_client import EngineClient


class SharedController:
    """See `Controller`. A node does not receive its own messages."""

    def __init__(self, engine: EngineClient) -> None:
        self._engine = engine

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._engine.outage

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._engine.silence

    def register_last_will(self, message: bytes) -> None:
        """See `LastWillController`."""
        self._engine.last_will = message

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """See `Controller.start`."""
        self._engine.on_control = on_control
        await self._engine.start()

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """See `Controller.publish_control`."""
        await self._engine.call(PublishControl(message, node))

    async def close(self) -> None:
        """See `Controller.close`."""
        self._engine.on_control = None
        await self._engine.close()
