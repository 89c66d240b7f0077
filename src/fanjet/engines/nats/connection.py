"""The one connection to NATS that broker and controller share (07 §15.2)."""

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
from .permission_errors import Denials
from .subjects import NodeSubjects, is_subject, is_writable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from typing import Any

    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from fanjet.config.tree.nats import NatsConnection as Settings

    Receive = Callable[[str, bytes], None]

log = get_logger(__name__)
refusals = RateLimitedLog(log, 20)
"""Of subscriptions: when the server's permissions change it may be all."""

RECONNECT_SECONDS: Final = 2
PROBE: Final = b"probe"


class Interest(NamedTuple):
    """Who wants to hear a subject: gets every message, or is told that there will be none, which it `outlasts` when it
    asks again whenever the connection is made anew."""

    receive: Receive
    refused: Callable[[], None]
    outlasts: bool = False


class NotPermitted(EngineUnavailable):
    """The server lets this node not hear a subject."""


class NatsConnection:
    """Connects, reconnects for ever, subscribes anew what was subscribed, and what is subscribed while it is lost. No
    message is kept for later: what is published then fails.

    After `probe_seconds` without any message it publishes one to the node itself, whose id is `uid`; when that does not
    come back, the connection is deaf, however alive it looks, and another one takes its place.

    Every call may raise `EngineUnavailable`.
    """

    def __init__(self, config: Settings, uid: str, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self.subjects = NodeSubjects(config.prefix, uid)
        self.on_node_message: Callable[[bytes], None] = _ignore
        """Gets what is sent to this node alone."""
        self.on_restored: Callable[[], None] = _nothing
        """Called when everything is heard again after a loss."""
        self._config = config
        self._client = NatsClient()
        self._interests: dict[str, Interest] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._postponed: dict[str, None] = {}
        """Subjects to subscribe to when the connection is back."""
        self._refusal = ""
        """Why the first attempt to connect failed: what the server said, before it closed the connection."""
        self._denials = Denials(self._interests, self._refuse)
        self._heartbeat = Heartbeat(self, probe_seconds)
        self._is_lost = False
        self._users = 0
        self._flushing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._errands: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect, for the first of those who share this. Raises `EngineUnavailable`, `TLSError`."""
        self._users += 1
        if self._users > 1:
            return
        await self._connect(self._client)
        self._heartbeat.heard_at = asyncio.get_running_loop().time()
        await self.subscribe(self.subjects.own, self._receive_own, _nothing, outlasts=True)
        self._watching = asyncio.get_running_loop().create_task(self._heartbeat.keep())

    async def close(self) -> None:
        """Disconnect, with the last of those who share this."""
        self._users -= 1
        if self._users:
            return
        running = [task for task in (self._watching, self._flushing, *self._errands) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if not self._client.is_closed:
            await self._client.close()

    @property
    def outage(self) -> str:
        """What cannot be reached or is not heard now, empty while all is well."""
        if not self._client.is_connected:
            return "NATS"
        return "messages of NATS" if self._heartbeat.has_stopped else ""

    @property
    def silence(self) -> float:
        """See `ProbedEngine`."""
        return self._heartbeat.silence

    async def publish(self, subject: str, payload: bytes) -> None:
        """Send a message."""
        if not is_writable(subject):
            raise EngineUnavailable(f"not a NATS subject: {subject!r}")
        if not self._client.is_connected:
            raise EngineUnavailable("not connected to NATS")
        with _failures(f"error publishing to NATS subject {subject!r}"):
            await self._client.publish(subject, payload)

    async def subscribe(
        self, subject: str, receive: Receive, refused: Callable[[], None], *, outlasts: bool = False
    ) -> None:
        """Receive what is published to a subject from now on; returns when the server knows. While it cannot be reached
        or does not answer in time the subscription is as good as those made before: it brings something afterwards.
        Once is enough. Raises `NotPermitted` for what the server refuses. If it refuses later on, be it because it does
        not permit any more what it did, `refused` is called, and there is no subscription. One that `outlasts` that is
        not refused by an exception either, and made again with the next connection."""
        if subject in self._interests:
            return
        if not is_subject(subject):
            raise EngineUnavailable(f"not a NATS subject: {subject!r}")
        self._interests[subject] = Interest(receive, refused, outlasts)
        self._denials.forget(subject)
        if not self._client.is_connected:
            self._postponed[subject] = None
            return
        try:
            with _failures(f"error subscribing to NATS subject {subject!r}"), self._denials.awaited(subject):
                await self._subscribe(self._client, subject)
                with suppress(errors.FlushTimeoutError):
                    await asyncio.shield(self._flush_soon())
        except BaseException:
            with suppress(EngineUnavailable):  # then there is nothing left that could be received
                await self.unsubscribe(subject)
            raise
        if subject not in self._denials:
            return
        if outlasts:
            refused()
            return
        await self.unsubscribe(subject)
        raise NotPermitted(f"NATS does not permit a subscription to {subject!r}")

    async def unsubscribe(self, subject: str) -> None:
        """Receive no more of a subject."""
        subscription = self._forget(subject)
        if subscription is not None:
            with _failures(f"error unsubscribing from NATS subject {subject!r}"):
                await subscription.unsubscribe()

    # ------------------------------------------------------------------------------------------ for the heartbeat

    @property
    def has_given_up(self) -> bool:
        """Whether the client has, which it does when the server complains of anything."""
        return self._client.is_closed

    async def probe(self) -> bool:
        """Publish a message to the node itself. Whether the client took it."""
        try:
            await self.publish(self.subjects.own, PROBE)
        except EngineUnavailable:
            return False
        return True

    async def replace(self) -> None:
        """Connect anew beside the old connection, then let that go: closing it may take as long as it is stuck."""
        client = NatsClient()
        self._refusal = ""
        try:
            await self._connect(client)
            old, self._client = self._client, client
            self._postponed.clear()
            self._run(old.close())
            for subject in list(self._interests):
                if subject in self._interests:
                    await self._subscribe(client, subject)
            await self._flush(client)
        except (EngineUnavailable, errors.Error, OSError, TimeoutError) as error:
            log.error("cannot replace the connection to NATS", error=error)
            return
        await self._note_return()

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
            skip_subject_validation=True,  # it refuses a "*" within a token, which is no wildcard for the server
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
            reason = self._refusal or str(error) or type(error).__name__
            raise EngineUnavailable(f"error connecting to NATS: {reason}") from error

    def _for(self, client: NatsClient, tell: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """What happens to a client counts only while it is the one in use."""

        async def tell_of_current() -> None:
            if client is self._client:
                await tell()

        return tell_of_current

    def _forget(self, subject: str) -> Subscription | None:
        """Nobody wants to hear it any more. Returns what is to be ended."""
        self._interests.pop(subject, None)
        self._postponed.pop(subject, None)
        return self._subscriptions.pop(subject, None)

    async def _subscribe(self, client: NatsClient, subject: str) -> None:
        receive, heartbeat = self._interests[subject].receive, self._heartbeat
        time = asyncio.get_running_loop().time

        async def take(message: Msg) -> None:
            heartbeat.heard_at = time()
            try:
                receive(message.subject, message.data)
            except Exception:
                log.exception("error handling NATS message", subject=message.subject)

        self._subscriptions[subject] = await client.subscribe(subject, cb=take)

    def _flush_soon(self) -> asyncio.Task[None]:
        """What was sent has reached the server when this is done; those who ask at the same time share it. A task,
        since commands have none until they wait (net.aio)."""
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_together())
            self._flushing.add_done_callback(_take_note)
        return self._flushing

    async def _flush_together(self) -> None:
        await asyncio.sleep(0)
        self._flushing = None  # who comes now has sent what this one may not carry
        await self._flush(self._client)

    async def _flush(self, client: NatsClient) -> None:
        await client.flush(max(1, round(self._config.write_timeout)))

    def _receive_own(self, _subject: str, payload: bytes) -> None:
        if payload != PROBE:
            self.on_node_message(payload)

    async def _on_error(self, client: NatsClient, error: Exception) -> None:
        self._refusal = self._refusal or str(error)
        self._denials.take(client.told)
        if self.subjects.own in client.told and "Permissions Violation" in client.told:
            self._heartbeat.may_probe = False
        if not self._is_lost:  # else it is one of the attempts to come back, told once
            log.error("NATS error", error=error)

    def _refuse(self, subject: str) -> None:
        """It is not permitted, after all or any more."""
        interest = self._interests[subject]
        if not interest.outlasts:
            subscription = self._forget(subject)
            refusals.error("NATS does not permit a subscription any more", subject=subject)
            if subscription is not None:
                self._run(_end(subscription))
        interest.refused()

    def _run(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

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
        await self._note_return()

    async def _note_return(self) -> None:
        self._is_lost = False
        log.info("NATS connection restored", subscriptions=len(self._interests))
        self.on_restored()
        await self.probe()


async def _end(subscription: Subscription) -> None:
    with suppress(errors.Error, OSError):  # it has gone with its connection
        await subscription.unsubscribe()


def _take_note(flush: asyncio.Task[None]) -> None:
    """Of its failure, lest it be reported as unseen when all who waited have gone."""
    if not flush.cancelled():
        flush.exception()


def _nothing() -> None:
    """When nobody cares."""


def _ignore(message: bytes) -> None:
    """What nobody waits for."""


@contextmanager
def _failures(what: str) -> Iterator[None]:
    try:
        yield
    except (errors.Error, OSError, TimeoutError) as error:
        raise EngineUnavailable(f"{what}: {error or type(error).__name__}") from error
