"""The session of one connection: commands, replies, deadlines and the close.

See 01 §4 and §5.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, cast

from fanjet.protocol.codec import PayloadNotJSON
from fanjet.protocol.codes import (
    DISCONNECT_CONNECTION_CLOSED,
    DISCONNECT_EXPIRED,
    DISCONNECT_INAPPROPRIATE_PROTOCOL,
    DISCONNECT_INSUFFICIENT_STATE,
    DISCONNECT_NO_PONG,
    DISCONNECT_SLOW,
    DISCONNECT_WRITE_ERROR,
    UNSUBSCRIBE_INSUFFICIENT,
    Disconnect,
    Disconnected,
    Unsubscribe,
)
from fanjet.protocol.messages import DisconnectPush, RefreshPush, UnsubscribePush

from . import disconnect_event, emulation
from .client_id import new_client_id
from .command_queue import CommandQueue
from .commands import refresh
from .connect_info import NOT_CONNECTED, connect_info
from .deadlines import Deadlines, first_time
from .frame_logging import TracedTransport, trace_incoming
from .outbox import Outbox
from .request_info import NO_REQUEST_INFO
from .settings import LONGEST_LIFETIME
from .state import AUTHENTICATED, CLOSED, CONNECTED, CONNECTING, UNUSABLE
from .subscriptions import ending, periodic, server_side

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from typing import Any

    from fanjet.channels.subscription import SubscriptionOptions
    from fanjet.node.subscriber import Subscriber
    from fanjet.protocol.capability import Capability
    from fanjet.protocol.codes import Error
    from fanjet.protocol.messages import PushBody, Result
    from fanjet.protocol.publication import StreamPosition
    from fanjet.telemetry.metrics import Flow

    from .context import ClientContext
    from .credentials import Credentials
    from .event_calls import PendingCalls
    from .request_info import RequestInfo
    from .state import State
    from .subscriptions.subscription import Subscription
    from .transport import Transport


CLOSED_WITHOUT_FLUSH = (DISCONNECT_CONNECTION_CLOSED.code, DISCONNECT_SLOW.code)


class Session(Outbox):
    """The protocol state of one connection.

    Its transport calls `on_bytes`, `on_blocked`, `on_writable`, `on_finished` and `on_lost`; the node calls the
    operations of the server API and of other nodes.
    """

    __slots__ = (
        "_commands",
        "authenticated",
        "capabilities",
        "client_id",
        "closed",
        "connect_info",
        "context",
        "deadlines",
        "expire_at",
        "info",
        "labels",
        "last_command",
        "latency",
        "meta",
        "metrics",
        "pending_calls",
        "periodic_running",
        "ping_interval",
        "ping_outstanding",
        "pong_timeout",
        "request_info",
        "session_id",
        "state",
        "subscriptions",
        "usable",
        "user",
        "wheel_slot",
    )

    def __init__(
        self,
        context: ClientContext,
        transport: Transport,
        request_info: RequestInfo = NO_REQUEST_INFO,
        *,
        session_id: str = "",
    ) -> None:
        self.client_id = new_client_id()
        if context.traces_frames:
            transport = cast("Transport", TracedTransport(transport, self.client_id))
        super().__init__(context.node.flusher, transport)
        self.context = context
        self.last_command = ""
        self.connect_info = NOT_CONNECTED
        self.latency = -1
        self.session_id = session_id
        self.request_info = request_info
        self.metrics = context.metrics.of_transport(transport.name)
        self.user = ""
        self.info = b""
        self.meta = b""
        self.labels: Mapping[str, str] | None = None
        self.capabilities: Sequence[Capability] = ()
        self.expire_at = 0
        self.state: State = CONNECTING
        self.authenticated = self.closed = False
        self.usable = True
        self.subscriptions: dict[str, Subscription] = {}
        self.ping_interval = context.settings.ping_interval if transport.app_pings else 0.0
        """Seconds between application-level pings, 0 for none."""
        self.pong_timeout = context.settings.pong_timeout if transport.app_pings else 0.0
        """Seconds within which the client has to send a pong, 0 when it does not have to."""
        self.ping_outstanding = False
        self.periodic_running = False
        self.pending_calls: PendingCalls | None = None
        self.wheel_slot = -1
        self.deadlines = Deadlines()
        self._commands: CommandQueue | None = CommandQueue(self)
        context.unauthenticated.add(self)

    def _set_state(self, state: State) -> None:
        """Change the state and the flags derived from it, which hot paths read."""
        self.state = state
        self.authenticated = state is AUTHENTICATED or state is CONNECTED
        self.closed = state is CLOSED
        self.usable = state < UNUSABLE

    def is_subscribed(self, channel: str) -> bool:
        """Whether a subscription to `channel` is active, client-side or server-side."""
        subscription = self.subscriptions.get(channel)
        return subscription is not None and subscription.active

    # ------------------------------------------------------------------------------------------ connecting

    def authenticate(self, credentials: Credentials, name: str = "", version: str = "") -> None:
        """Take on an identity and register with the node.

        The node can reach this connection from now on (01 §6.1 step 10). `name` and `version` are as reported by the
        client.
        """
        self.user = credentials.user
        self.info = credentials.info
        self.meta = credentials.meta
        self.labels = credentials.labels
        self.capabilities = credentials.capabilities
        self.expire_at = credentials.expire_at
        context = self.context
        self.connect_info = connect_info(name, version, int(context.unix_time()))
        self.state = AUTHENTICATED
        self.authenticated = True
        self._register_metrics(name, version)
        context.unauthenticated.discard(self)
        context.node.connections.add(self)

    def _register_metrics(self, name: str, version: str) -> None:
        """Count the connection, and select the metrics for its labels."""
        metrics = self.context.metrics
        labels = metrics.label_values(self.labels)
        self.metrics = metrics.of_client(self.transport.name, self.request_info.http, name, version, labels)
        if any(labels):
            self.transport.wire = self.transport.wire.with_labels(labels)
        self.metrics.add_connection()
        self.context.node.metrics.added_clients.value += 1

    def _leave_node(self) -> None:
        """Unregister from the node and stop counting the connection."""
        if self.context.node.connections.remove(self):
            self.metrics.inflight.value -= 1
            self.context.node.metrics.removed_clients.value += 1

    def start_connected(self) -> None:
        """Start pings and the expiry, after the connect reply."""
        if self.closed:
            return
        self.state = CONNECTED
        if self.ping_interval:
            self.deadlines.ping = first_time(self.context.now(), self.ping_interval)
        self.set_expiry(self.expire_at)
        self.arm()

    def refuse(self, command_id: int, error: Error) -> None:
        """Reply to a connect with an error.

        After that the connection is unusable (01 §6.1).
        """
        if self.closed:
            return
        if self.authenticated:
            self._leave_node()
            self.context.unauthenticated.add(self)
        self._set_state(UNUSABLE)
        self.reply_error(command_id, error, "connect")
        self.flush()
        self.transport.abandon()

    # ------------------------------------------------------------------------------------------ transport events

    def on_bytes(self, frame: bytes) -> None:
        """Run the commands of a received frame, or queue it behind the commands under way."""
        commands = self._commands
        if commands is None:
            return
        if self.context.traces_frames:
            trace_incoming(self.client_id, frame)
        if self.ping_outstanding and frame == self.transport.wire.codec.ping and commands.idle:
            self.metrics.traffic.pong.add(self.transport.wire.pong_size)
            self.on_pong()  # the most frequent frame of idle clients
        else:
            commands.take(frame)

    def on_blocked(self) -> None:
        """The transport waits for the peer: start the write timeout."""
        self.set_blocked()
        self.deadlines.write = self.context.now() + self.transport.write_timeout
        self.arm()

    def on_writable(self) -> None:
        """The transport can write again."""
        self.deadlines.write = inf
        self.set_writable()

    def on_lost(self) -> None:
        """The connection is lost.

        Queued commands run first, also while an inline event call is under way (06 §4.5).
        """
        commands = self._commands
        if commands is not None and (
            commands.has_pending or (self.pending_calls is not None and self.pending_calls.inline)
        ):
            commands.finish()
        else:
            self.disconnect(DISCONNECT_CONNECTION_CLOSED)

    def on_finished(self) -> None:
        """Run and answer what the client has sent, then close the connection.

        The client sends no more, but may still read.
        """
        if self._commands is not None:
            self._commands.finish()

    def on_backlog(self) -> None:
        """Disconnect a slow consumer whose backlog exceeds the limit."""
        limit = self.context.settings.queue_max_size
        if limit and self.backlog_size > limit:
            self.disconnect(DISCONNECT_SLOW)

    # ------------------------------------------------------------------------------------------ replies and pushes

    def reply(self, command_id: int, result: Result, channel: str = "") -> None:
        """Queue a command's result, for a command on `channel` if given.

        Raises `Disconnected` when it cannot be written in this connection's encoding, or is too long.
        """
        wire = self.transport.wire
        codec = wire.codec
        try:
            message = codec.reply(command_id, result)
        except PayloadNotJSON:
            raise Disconnected(DISCONNECT_INAPPROPRIATE_PROTOCOL) from None
        limit = self.context.settings.queue_max_size
        if limit and len(message) > limit:
            raise Disconnected(DISCONNECT_SLOW)
        if not self.closed:
            metrics = self.metrics
            flow = (metrics.traffic_in(channel) if metrics.by_namespace else metrics.traffic).sent[type(result)]
            flow.count += 1
            flow.size += codec.size(message)
            frame = wire.frame(message)
            if self.outbox is None:
                self.send(frame)
            else:
                self.outbox.append(frame)  # the usual case: commands run with a corked outbox

    def reply_error(self, command_id: int, error: Error, method: str, channel: str = "") -> None:
        """Queue an error reply."""
        self.metrics.reply_error(method, error.code, channel)
        self._send_message(
            self.transport.wire.codec.error(command_id, error), self.metrics.traffic_in(channel).errors[method]
        )

    def push(self, channel: str, body: PushBody) -> None:
        """Queue a push. Raises `PayloadNotJSON`."""
        if not self.closed:
            flow = self.metrics.traffic_in(channel).sent[type(body)]
            self._send_message(self.transport.wire.codec.push(channel, body), flow)

    def push_unsubscribe(self, channel: str, unsubscribe_: Unsubscribe) -> None:
        """Queue an unsubscribe push: the server has ended a subscription."""
        if not self.closed:
            self.push(channel, UnsubscribePush(unsubscribe_.code, unsubscribe_.reason))
            self.metrics.unsubscribe(unsubscribe_.code, channel)

    def _send_message(self, message: bytes, flow: Flow) -> None:
        if self.closed:
            return
        limit = self.context.settings.queue_max_size
        if limit and len(message) > limit:
            self.disconnect(DISCONNECT_SLOW)
        else:
            flow.add(self.transport.wire.codec.size(message))
            self.send(self.transport.wire.frame(message))

    # ------------------------------------------------------------------------------------------ deadlines

    def arm(self) -> None:
        """Schedule the nearest deadline in the timing wheel."""
        if not self.closed:
            nearest = self.deadlines.nearest()
            if nearest < inf:
                self.context.wheel.schedule(self, nearest)
            else:
                self.context.wheel.cancel(self)

    def on_timer(self, now: float) -> None:
        """Handle the deadlines that are due."""
        deadlines = self.deadlines
        if now >= deadlines.write:
            self.on_write_timeout()
            return
        if now >= deadlines.expiry and self._has_expired(now):
            self.disconnect(DISCONNECT_EXPIRED)
            return
        if now >= deadlines.ping:
            self._ping(now)
        if now >= deadlines.periodic:
            periodic.start(self, now)
        self.arm()

    def schedule_periodic(self) -> None:
        """Start periodic work, which a subscription needs, unless it is scheduled already."""
        if self.deadlines.periodic == inf:
            self.deadlines.periodic = first_time(self.context.now(), self.context.settings.presence_update_interval)
            self.arm()

    def _has_expired(self, now: float) -> bool:
        """Whether the connection has expired and must be closed.

        Where the application can refresh it, the application is called instead.
        """
        left = self.expire_at - self.context.unix_time()
        self.deadlines.expiry = now + left if left > 0 else inf  # the two clocks may differ slightly
        if left > 0 or self.expire_at <= 0:
            return False
        if not self.context.events.decides_refresh:
            return True
        self.context.run_in_background(refresh.request_refresh(self))
        return False

    def on_write_timeout(self) -> None:
        """Close a connection whose write took too long (01 §5.7).

        No disconnect is sent, since nothing more can be written.
        """
        self.discard_everything()
        self._end(DISCONNECT_WRITE_ERROR)
        self.transport.abort()

    def _ping(self, now: float) -> None:
        # Only one pong is outstanding at a time, even after the process was suspended: a second is a bad request.
        pong_timeout = self.pong_timeout
        if pong_timeout and self.ping_outstanding:
            self.deadlines.ping = now  # retry in the wheel's next slot, when the pong has been read or timed out
            return
        due = self.deadlines.ping + self.ping_interval
        self.deadlines.ping = due if due > now + pong_timeout else now + self.ping_interval
        if pong_timeout:
            self.deadlines.pong = until = now + pong_timeout
            self.context.ping_tracker.expect(self, until)
        self.ping_outstanding = True
        wire = self.transport.wire
        self.metrics.traffic.ping.add(wire.ping_size)
        self.send(wire.ping)

    def on_pong(self) -> bool:
        """Record a pong. False when no ping is outstanding."""
        outstanding, self.ping_outstanding = self.ping_outstanding, False
        if outstanding and self.deadlines.pong < inf:
            took = self.context.now() - (self.deadlines.pong - self.pong_timeout)
            self.metrics.pongs.observe(took)
            self.latency = int(took * 1000)
        self.deadlines.pong = inf
        return outstanding

    def on_pong_timeout(self, until: float) -> bool:
        """Disconnect if the pong due at `until` has not arrived.

        Returns whether it did so.
        """
        if self.closed or not self.ping_outstanding or self.deadlines.pong != until:
            return False
        self.disconnect(DISCONNECT_NO_PONG)
        return True

    def seconds_left(self) -> int:
        """Seconds until the client has to refresh the connection.

        0 when it does not have to; a year at most.
        """
        if not self.expire_at or self.context.events.decides_refresh:
            return 0
        return min(self.expire_at - int(self.context.unix_time()), LONGEST_LIFETIME)

    def set_expiry(self, expire_at: int) -> int:
        """Set the connection's expiry; returns the seconds left.

        `expire_at` is in Unix seconds, 0 for never; one year from now at most. After the seconds left and the grace
        period the connection is closed; where the application refreshes connections, it is called without a grace
        period (01 §5.5).
        """
        if not expire_at:
            self.expire_at = 0
            self.deadlines.expiry = inf
            return 0
        now = int(self.context.unix_time())
        self.expire_at = min(expire_at, now + LONGEST_LIFETIME)
        left = self.expire_at - now
        grace = 0 if self.context.events.decides_refresh else self.context.settings.expired_close_delay
        self.deadlines.expiry = self.context.now() + left + grace
        return left

    # ------------------------------------------------------------------------------------------ closing

    def disconnect(self, disconnect: Disconnect) -> None:
        """Close the connection, after an inline event call has completed.

        See 01 §5.9 and 06 §4.5. Repeated calls do nothing.
        """
        if self.closed or (self.pending_calls is not None and self.pending_calls.defer(disconnect)):
            return
        transport = self.transport
        if disconnect.code in CLOSED_WITHOUT_FLUSH:
            self.discard_everything()
        else:
            if transport.pushes_disconnect:
                message = transport.wire.codec.push("", DisconnectPush(disconnect.code, disconnect.reason))
                self.metrics.traffic.sent[DisconnectPush].add(self.transport.wire.codec.size(message))
                self.send(transport.wire.frame(message))
            self.write_everything()
        self._end(disconnect)
        transport.end(disconnect)

    def _end(self, disconnect: Disconnect) -> None:
        was_connected = self.state is CONNECTED
        self._set_state(CLOSED)
        if disconnect.code != DISCONNECT_CONNECTION_CLOSED.code:
            self.metrics.disconnect(disconnect.code)
            disconnect_event.log_disconnect(self, disconnect)
        self.context.unauthenticated.discard(self)
        self.context.wheel.cancel(self)
        self._leave_node()
        if self._commands is not None:
            self._commands.stop()
            self._commands = None  # breaks a reference cycle: sessions are not garbage collected (DESIGN rule 10)
        self.cancel_event_calls()
        ending.end_all(self)
        if was_connected and self.context.events.wants_disconnects:
            self.context.run_in_background(disconnect_event.send_disconnect_event(self, disconnect))

    def cancel_event_calls(self) -> None:
        """Cancel calls of the application whose answers are no longer needed."""
        if self.pending_calls is not None:
            self.pending_calls.cancel()

    # ------------------------------------------------------------------------------------------ node operations

    def run_commands(self, data: bytes) -> Coroutine[Any, Any, None]:
        """Run commands of a separate request (02 §7.4). Raises `MalformedFrame`."""
        return emulation.run_commands(self, data)

    def on_insufficient_state(self, subscriber: Subscriber) -> None:
        """End a positioned subscription that has missed publications, or the connection.

        See 01 §8.6.
        """
        subscription = self.subscriptions.get(subscriber.channel)
        if subscription is not subscriber or self.closed:
            return
        if subscription.server_side:
            self.disconnect(DISCONNECT_INSUFFICIENT_STATE)
        else:
            self.end_subscription(subscription, UNSUBSCRIBE_INSUFFICIENT)

    def end_subscription(self, subscription: Subscription, reason: Unsubscribe) -> None:
        """End a subscription, then push the reason to the client."""
        self.context.run_in_background(ending.end_and_push(self, subscription, reason))

    async def subscribe_by_server(
        self, channel: str, options: SubscriptionOptions, recover_since: StreamPosition | None
    ) -> None:
        """Make or renew a server-side subscription (05 §6.3)."""
        await server_side.subscribe(self, channel, options, recover_since)

    async def unsubscribe_by_server(self, channel: str, unsubscribe_: Unsubscribe) -> None:
        """End a subscription and push `unsubscribe`.

        The push is sent even if there is no such subscription (05 §6.4).
        """
        if not channel or self.closed:
            return
        try:
            await ending.unsubscribe(self, channel)
        except Disconnected:
            return  # the wait for an attempt timed out and closed the connection
        self.push_unsubscribe(channel, unsubscribe_)

    def refresh_by_server(self, *, expired: bool, expire_at: int, info: bytes) -> None:
        """Set the connection's expiry (05 §6.6)."""
        if self.closed:
            return
        if expired or 0 < expire_at <= self.context.unix_time():
            self.disconnect(DISCONNECT_EXPIRED)
            return
        left = self.set_expiry(max(expire_at, 0))
        if left and info:
            self.info = info
        self.arm()
        self.push("", RefreshPush(expires=left > 0, ttl=left))
