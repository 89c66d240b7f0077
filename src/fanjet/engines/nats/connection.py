"""The NATS connection shared by broker and controller (07 §15.2)."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from nats import errors

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.net.tls import client_context
from fanjet.telemetry.logging import get_logger
from fanjet.telemetry.rate_limited_log import RateLimitedLog

from .client import NatsClient
from .heartbeat import PROBE_SECONDS, Heartbeat
from .permission_errors import PermissionErrors
from .subjects import NodeSubjects, is_subject, is_writable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from typing import Any

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from fanjet.config.tree.nats import NatsConnection as Settings

    Receive = Callable[[str, bytes], None]

log = get_logger(__name__)
denials_log = RateLimitedLog(log, 20)
"""For denied subscriptions: when permissions change, all may be denied at once."""

RECONNECT_SECONDS: Final = 2
PROBE: Final = b"probe"


class SubscriptionHandler(NamedTuple):
    """Callbacks of a subscription.

    A persistent one is kept when the server denies it, and retried with every new connection.
    """

    receive: Receive
    on_denied: Callable[[], None]
    is_persistent: bool = False


class SubscriptionDenied(EngineUnavailable):
    """The server denies a subscription to this node."""


class NatsConnection:
    """A connection to NATS that reconnects without limit.

    It restores subscriptions, including those made while disconnected. Messages published while disconnected are not
    buffered: the call fails.

    After `probe_seconds` without a message it publishes a probe to the node's own subject, by its id `uid`. When the
    probe does not come back, the connection is replaced, even if it seems to be open.

    Every call may raise `EngineUnavailable`.
    """

    def __init__(self, config: Settings, uid: str, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self.subjects = NodeSubjects(config.prefix, uid)
        self.on_node_message: Callable[[bytes], None] = _discard_message
        """Gets messages for this node only."""
        self.on_restored: Callable[[], None] = _no_callback
        """Called when all subscriptions are restored after a loss."""
        self._config = config
        self._client = NatsClient()
        self._handlers: dict[str, SubscriptionHandler] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._postponed: dict[str, None] = {}
        """Subjects to subscribe after reconnecting."""
        self._connect_error = ""
        """The server's error during the first connection attempt, sent before it closed the connection."""
        self._permission_errors = PermissionErrors(self._handlers, self._on_denied)
        self._heartbeat = Heartbeat(self, probe_seconds)
        self._is_lost = False
        self._users = 0
        self._flushing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._background_tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect on the first call; further ones share the connection.

        Raises `EngineUnavailable`, `TLSError`.
        """
        self._users += 1
        if self._users > 1:
            return
        await self._connect(self._client)
        self._heartbeat.received_at = asyncio.get_running_loop().time()
        await self.subscribe(self.subjects.own, self._receive_own, _no_callback, is_persistent=True)
        self._watching = asyncio.get_running_loop().create_task(self._heartbeat.run())

    async def close(self) -> None:
        """Disconnect with the last user."""
        self._users -= 1
        if self._users:
            return
        running = [task for task in (self._watching, self._flushing, *self._background_tasks) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if not self._client.is_closed:
            await self._client.close()

    @property
    def outage(self) -> str:
        """See `RemoteEngine`."""
        if not self._client.is_connected:
            return "NATS"
        return "messages of NATS" if self._heartbeat.is_silent else ""

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._heartbeat.silence

    async def publish(self, subject: str, payload: bytes) -> None:
        """Publish a message. Raises `EngineUnavailable`."""
        if not is_writable(subject):
            raise EngineUnavailable(f"not a NATS subject: {subject!r}")
        if not self._client.is_connected:
            raise EngineUnavailable("not connected to NATS")
        with _failures(f"error publishing to NATS subject {subject!r}"):
            await self._client.publish(subject, payload)

    async def subscribe(
        self, subject: str, receive: Receive, on_denied: Callable[[], None], *, is_persistent: bool = False
    ) -> None:
        """Subscribe to a subject; returns when the server has confirmed it. Idempotent.

        While the server is unreachable or does not answer in time, the subscription is kept and takes effect later.
        Raises `SubscriptionDenied` if the server denies it. If it does so later, also because permissions have changed,
        the subscription is removed and `on_denied` is called. A persistent subscription is kept instead: `on_denied` is
        called in both cases, and the next connection tries it again."""
        if subject in self._handlers:
            return
        if not is_subject(subject):
            raise EngineUnavailable(f"not a NATS subject: {subject!r}")
        self._handlers[subject] = SubscriptionHandler(receive, on_denied, is_persistent)
        self._permission_errors.forget(subject)
        if not self._client.is_connected:
            self._postponed[subject] = None
            return
        try:
            with _failures(f"error subscribing to NATS subject {subject!r}"), self._permission_errors.pending(subject):
                await self._subscribe(self._client, subject)
                with suppress(errors.FlushTimeoutError):
                    await asyncio.shield(self._shared_flush())
        except BaseException:
            with suppress(EngineUnavailable):  # nothing is received any more in this case
                await self.unsubscribe(subject)
            raise
        if subject not in self._permission_errors:
            return
        if is_persistent:
            on_denied()
            return
        await self.unsubscribe(subject)
        raise SubscriptionDenied(f"NATS does not permit a subscription to {subject!r}")

    async def unsubscribe(self, subject: str) -> None:
        """Unsubscribe from a subject."""
        subscription = self._remove(subject)
        if subscription is not None:
            with _failures(f"error unsubscribing from NATS subject {subject!r}"):
                await subscription.unsubscribe()

    # ------------------------------------------------------------------------------------------ for the heartbeat

    @property
    def is_closed(self) -> bool:
        """Whether the client is closed, as it is after any error of the server."""
        return self._client.is_closed

    async def probe(self) -> bool:
        """Publish a message to the node's own subject.

        Returns whether the client accepted it.
        """
        try:
            await self.publish(self.subjects.own, PROBE)
        except EngineUnavailable:
            return False
        return True

    async def replace(self) -> None:
        """Open a new connection, then close the old one in the background.

        Closing a stuck connection may take long.
        """
        client = NatsClient()
        self._connect_error = ""
        try:
            await self._connect(client)
            old, self._client = self._client, client
            self._postponed.clear()
            self._run(old.close())
            for subject in list(self._handlers):
                if subject in self._handlers:
                    await self._subscribe(client, subject)
            await self._flush(client)
        except (EngineUnavailable, errors.Error, OSError, TimeoutError) as error:
            log.error("cannot replace the connection to NATS", error=error)
            return
        await self._on_restored()

    # ------------------------------------------------------------------------------------------ inside

    async def _connect(self, client: NatsClient) -> None:
        config = self._config
        tls = client_context(config.tls, "nats") if config.tls.enabled else None
        connecting = client.connect(
            [url.strip() for url in config.url.split(",") if url.strip()],
            connect_timeout=max(1, round(config.dial_timeout)),
            reconnect_time_wait=RECONNECT_SECONDS,
            max_reconnect_attempts=-1,
            pending_size=0,
            skip_subject_validation=True,  # it rejects "*" within a token, which is no wildcard for the server
            tls=tls,
            tls_hostname=config.tls.server_name or None,
            error_cb=partial(self._on_error, client),
            disconnected_cb=self._for(client, self._on_disconnected),
            closed_cb=self._for(client, self._on_closed),
            reconnected_cb=self._for(client, self._on_reconnected),
        )
        try:
            async with asyncio.timeout(config.dial_timeout + 1):
                await connecting
        except (TimeoutError, OSError, errors.Error) as error:
            reason = self._connect_error or str(error) or type(error).__name__
            raise EngineUnavailable(f"error connecting to NATS: {reason}") from error

    def _for(self, client: NatsClient, callback: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """A callback that is ignored once `client` has been replaced."""

        async def call_if_current() -> None:
            if client is self._client:
                await callback()

        return call_if_current

    def _remove(self, subject: str) -> Subscription | None:
        """Forget a subject. Returns its subscription, if any, to be ended."""
        self._handlers.pop(subject, None)
        self._postponed.pop(subject, None)
        return self._subscriptions.pop(subject, None)

    async def _subscribe(self, client: NatsClient, subject: str) -> None:
        receive, heartbeat = self._handlers[subject].receive, self._heartbeat
        time = asyncio.get_running_loop().time

        async def on_message(message: Msg) -> None:
            heartbeat.received_at = time()
            try:
                receive(message.subject, message.data)
            except Exception:
                log.exception("error handling NATS message", subject=message.subject)

        self._subscriptions[subject] = await client.subscribe(subject, cb=on_message)

    def _shared_flush(self) -> asyncio.Task[None]:
        """A flush, shared by concurrent callers.

        When it is done, the server has received everything sent before. It runs as a task, because eagerly stepped
        commands have none until they wait (net.aio).
        """
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_together())
            self._flushing.add_done_callback(_consume_exception)
        return self._flushing

    async def _flush_together(self) -> None:
        await asyncio.sleep(0)
        self._flushing = None  # later callers may have sent messages that this flush does not cover
        await self._flush(self._client)

    async def _flush(self, client: NatsClient) -> None:
        await client.flush(max(1, round(self._config.write_timeout)))

    def _receive_own(self, _subject: str, payload: bytes) -> None:
        if payload != PROBE:
            self.on_node_message(payload)

    async def _on_error(self, client: NatsClient, error: Exception) -> None:
        self._connect_error = self._connect_error or str(error)
        self._permission_errors.on_error(client.server_error)
        if self.subjects.own in client.server_error and "Permissions Violation" in client.server_error:
            self._heartbeat.can_probe = False
        if not self._is_lost:  # errors of reconnection attempts are not logged
            log.error("NATS error", error=error)

    def _on_denied(self, subject: str) -> None:
        """Handle a denial that came late, or after permissions changed."""
        handler = self._handlers[subject]
        if not handler.is_persistent:
            subscription = self._remove(subject)
            denials_log.error("NATS does not permit a subscription any more", subject=subject)
            if subscription is not None:
                self._run(_unsubscribe_quietly(subscription))
        handler.on_denied()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)

    async def _on_disconnected(self) -> None:
        if not self._client.is_closed and not self._is_lost:
            self._is_lost = True
            log.warn("NATS connection lost")

    async def _on_closed(self) -> None:
        self._heartbeat.wake()

    async def _on_reconnected(self) -> None:
        while self._postponed:
            subject, _ = self._postponed.popitem()
            await self._subscribe(self._client, subject)
        await self._on_restored()

    async def _on_restored(self) -> None:
        self._is_lost = False
        log.info("NATS connection restored", subscriptions=len(self._handlers))
        self.on_restored()
        await self.probe()


async def _unsubscribe_quietly(subscription: Subscription) -> None:
    with suppress(errors.Error, OSError):  # the subscription ended with its connection
        await subscription.unsubscribe()


def _consume_exception(flush: asyncio.Task[None]) -> None:
    """Retrieve the exception of a task.

    Otherwise asyncio reports it when all waiters were cancelled.
    """
    if not flush.cancelled():
        flush.exception()


def _no_callback() -> None:
    """The default of callbacks without arguments."""


def _discard_message(message: bytes) -> None:
    """The default of the message callback."""


@contextmanager
def _failures(text: str) -> Iterator[None]:
    try:
        yield
    except (errors.Error, OSError, TimeoutError) as error:
        raise EngineUnavailable(f"{text}: {error or type(error).__name__}") from error
