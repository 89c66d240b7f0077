"""The one connection to NATS that broker and controller share (07 §15.2)."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nats import errors
from nats.aio.client import Client

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.net.tls import client_context
from fanjet.telemetry.logging import get_logger

from .subjects import is_subject, is_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from fanjet.config.tree.nats import NatsConnection as Settings

log = get_logger(__name__)

RECONNECT_SECONDS: Final = 2


class NatsConnection:
    """Connects, reconnects for ever, subscribes anew what was subscribed. Nothing is kept for later while it is lost:
    what is published then fails.

    Every call may raise `EngineUnavailable`.
    """

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._client = Client()
        self._subscriptions: dict[str, Subscription] = {}
        self._refusal = ""
        """Why the first attempt to connect failed: what the server said, before it closed the connection."""
        self._is_lost = False
        self._users = 0

    async def start(self) -> None:
        """Connect, for the first of those who share this. Raises `EngineUnavailable`, `TLSError`."""
        self._users += 1
        if self._users > 1:
            return
        config = self._config
        tls = client_context(config.tls, "nats") if config.tls.enabled else None
        connecting = self._client.connect(
            [url.strip() for url in config.url.split(",")],
            connect_timeout=max(1, round(config.dial_timeout)),
            reconnect_time_wait=RECONNECT_SECONDS,
            max_reconnect_attempts=-1,
            pending_size=0,
            skip_subject_validation=True,  # it refuses a "*" within a token, which is no wildcard for the server
            tls=tls,
            tls_hostname=config.tls.server_name or None,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
        )
        try:
            async with asyncio.timeout(config.dial_timeout + 1):
                await connecting
        except (TimeoutError, OSError, errors.Error) as error:
            reason = self._refusal or str(error) or type(error).__name__
            raise EngineUnavailable(f"error connecting to NATS: {reason}") from error

    async def close(self) -> None:
        """Disconnect, with the last of those who share this."""
        self._users -= 1
        if not self._users and not self._client.is_closed:
            await self._client.close()

    async def publish(self, subject: str, payload: bytes) -> None:
        """Send a message."""
        if not is_writable(subject):
            raise EngineUnavailable(f"not a NATS subject: {subject!r}")
        if not self._client.is_connected:
            raise EngineUnavailable("not connected to NATS")
        with _failures(f"error publishing to NATS subject {subject!r}"):
            await self._client.publish(subject, payload)

    async def subscribe(self, subject: str, receive: Callable[[str, bytes], None]) -> None:
        """Receive what is published to a subject from now on; returns when the server knows. Once is enough."""
        if subject in self._subscriptions:
            return
        if not is_subject(subject):
            raise EngineUnavailable(f"not a NATS subject: {subject!r}")
        if not self._client.is_connected:
            raise EngineUnavailable("not connected to NATS")

        async def take(message: Msg) -> None:
            try:
                receive(message.subject, message.data)
            except Exception:
                log.exception("error handling NATS message", subject=message.subject)

        with _failures(f"error subscribing to NATS subject {subject!r}"):
            self._subscriptions[subject] = await self._client.subscribe(subject, cb=take)
            await self._flush()

    async def unsubscribe(self, subject: str) -> None:
        """Receive no more of a subject."""
        subscription = self._subscriptions.pop(subject, None)
        if subscription is not None:
            with _failures(f"error unsubscribing from NATS subject {subject!r}"):
                await subscription.unsubscribe()

    async def _flush(self) -> None:
        # In a task, since its timeout needs one, and commands have none until they wait (net.eager).
        timeout = max(1, round(self._config.write_timeout))
        await asyncio.get_running_loop().create_task(self._client.flush(timeout))

    async def _on_error(self, error: Exception) -> None:
        self._refusal = self._refusal or str(error)
        if not self._is_lost:  # else it is one of the attempts to come back, told once
            log.error("NATS error", error=error)

    @property
    def lost(self) -> str:
        """What cannot be reached now, empty while it can."""
        return "" if self._client.is_connected else "NATS"

    async def _on_disconnected(self) -> None:
        if not self._client.is_closed and not self._is_lost:
            self._is_lost = True
            log.warn("NATS connection lost")

    async def _on_reconnected(self) -> None:
        self._is_lost = False
        log.info("NATS connection restored", subscriptions=len(self._subscriptions))


@contextmanager
def _failures(what: str) -> Iterator[None]:
    try:
        yield
    except (errors.Error, OSError, TimeoutError) as error:
        raise EngineUnavailable(f"{what}: {error or type(error).__name__}") from error
