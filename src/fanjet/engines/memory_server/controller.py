"""The controller of a worker: control messages go from one to the others by way of the engine's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .messages import PublishControl

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine_client import EngineLink


class SharedController:
    """A node's own messages do not come back to it."""

    def __init__(self, link: EngineLink) -> None:
        self._link = link

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        return self._link.outage

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._link.silence

    def register_last_will(self, message: bytes) -> None:
        """See `LastWillController`."""
        self._link.farewell = message

    async def start(self, on_control: Callable[[bytes], None]) -> None:
        """See `Controller.start`."""
        self._link.on_control = on_control
        await self._link.start()

    async def publish_control(self, message: bytes, node: str = "") -> None:
        """See `Controller.publish_control`."""
        await self._link.call(PublishControl(message, node))

    async def close(self) -> None:
        """See `Controller.close`."""
        self._link.on_control = None
        await self._link.close()
