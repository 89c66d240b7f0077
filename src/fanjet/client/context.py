"""Collaborators shared by all sessions of a node."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fanjet.events.null_handler import NoEvents
from fanjet.net.aio import run_eagerly
from fanjet.node.metrics import NodeMetrics
from fanjet.protocol.codes import DISCONNECT_SHUTDOWN
from fanjet.telemetry.logging import get_logger

from .frame_logging import traces_frames
from .metrics import ClientMetrics
from .ping_tracker import PingTracker
from .unauthenticated import UnauthenticatedSessions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.auth import ConnectionVerifier, SubscriptionVerifier
    from fanjet.config.tree.client import Client
    from fanjet.events.client_events import ClientEvents
    from fanjet.net.timing_wheel import TimingWheel
    from fanjet.node.node import Node

    from .settings import ClientSettings

log = get_logger(__name__)


@dataclass(slots=True)
class ClientContext:
    """Collaborators of the sessions.

    A reload replaces `config` and the verifiers; everything else stays.
    """

    node: Node
    settings: ClientSettings
    wheel: TimingWheel
    config: Client
    connection_verifier: ConnectionVerifier
    subscription_verifier: SubscriptionVerifier
    now: Callable[[], float]
    """Monotonic seconds, the wheel's time."""
    unix_time: Callable[[], float]
    """Wall-clock seconds, the time of tokens and expiries."""
    events: ClientEvents = field(default_factory=NoEvents)
    """The application's event handler, called where channel options say so."""
    metrics: ClientMetrics = field(default_factory=lambda: ClientMetrics(NodeMetrics()))
    traces_frames: bool = field(default_factory=traces_frames)
    """Whether every frame is logged."""
    unauthenticated: UnauthenticatedSessions = field(init=False)
    ping_tracker: PingTracker = field(init=False)
    open_connections: int = 0
    background: set[asyncio.Task[None]] = field(default_factory=set)
    _emptied: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.unauthenticated = UnauthenticatedSessions(self.wheel, self.settings.stale_close_delay)
        self.ping_tracker = PingTracker(self.wheel)

    def connection_opened(self) -> None:
        """Count a transport's new connection."""
        self.open_connections += 1

    def connection_ended(self) -> None:
        """Uncount a transport's connection."""
        self.open_connections -= 1
        if self._emptied is not None and not self.open_connections:
            self._emptied.set()

    def shut_down(self) -> None:
        """Disconnect sessions that have not authenticated; cancel their event calls.

        The node disconnects the others.
        """
        for session in self.unauthenticated:
            session.cancel_event_calls()
            session.disconnect(DISCONNECT_SHUTDOWN)

    async def wait_closed(self) -> None:
        """Wait until every connection has ended, with its background work."""
        if self.open_connections:
            self._emptied = asyncio.Event()
            await self._emptied.wait()
        if self.background:
            await asyncio.wait(self.background)

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that no command waits for; a failure is logged.

        Most work completes before this returns.
        """
        task = run_eagerly(work, _log_background_failure)
        if task is not None:
            self.background.add(task)
            task.add_done_callback(self.background.discard)


def log_failure(message: str, error: BaseException, **fields: object) -> None:
    """Log an unexpected error with its traceback.

    For use outside of the `except` block that caught it.
    """
    try:
        raise error
    except BaseException:
        log.exception(message, **fields)
    finally:
        del error  # its traceback holds this frame, and through outer frames a session


def _log_background_failure(_: None, error: BaseException | None) -> None:
    if error is not None and not isinstance(error, asyncio.CancelledError):
        log_failure("background work of a connection failed", error)
