"""A Redis connection in PUB/SUB mode."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from fanjet.telemetry.logging import get_logger

from ..connections.connection import NO_REPLY, Connection, pack
from ..connections.errors import CommandError, ConnectionLost
from ..topology.slots import slot_of
from .group import MAX_NAMES_PER_COMMAND, Batch, SharedFuture

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..connections.address import Address
    from .group import SubscriptionGroup

log = get_logger(__name__)

COMMANDS_AT_ONCE: Final = 16
SLICE_SECONDS: Final = 0.002
"""Processing time per event loop turn; the rest of what was read waits, with reading paused."""
SLICE_CHECK: Final = 16
"""Messages between two checks of the clock."""


_CONFIRMATIONS: Final = frozenset((b"subscribe", b"unsubscribe", b"ssubscribe", b"sunsubscribe"))


class PubSubConnection(Connection):
    """Passes messages on as they are read, in order, without a queue.

    When this process is too slow, TCP flow control slows Redis down, which finally drops the connection. So a loss of
    messages always shows as a lost connection. Each command is for one group, since names in different slots cannot
    share one. `received_at` is the event loop time of the last message, 0 before the first.
    """

    def __init__(self, address: Address, io_timeout: float) -> None:
        super().__init__(address, io_timeout)
        self.received_at = 0.0
        self._on_message: Callable[[bytes, bytes], None] | None = None
        self._on_slot_moved: Callable[[SubscriptionGroup], None] = self._fail_moved
        self._message = b"message"
        self._subscribe, self._unsubscribe = "SUBSCRIBE", "UNSUBSCRIBE"
        self._subscribed, self._unsubscribed = b"subscribe", b"unsubscribe"
        self._groups: dict[bytes, SubscriptionGroup] = {}
        self._unsent: list[Batch] = []
        self._expected: deque[Batch] = deque()

    def start_receiving(
        self,
        on_message: Callable[[bytes, bytes], None],
        *,
        sharded: bool = False,
        on_slot_moved: Callable[[SubscriptionGroup], None] | None = None,
    ) -> None:
        """Enter PUB/SUB mode, for subscriptions only. `on_message` gets name and payload.

        When Redis itself ends a permanent subscription of a group, the slot has moved (07 §22.4): `on_slot_moved` gets
        the group; without this callback the connection fails."""
        self._on_message = on_message
        self._on_slot_moved = on_slot_moved or self._fail_moved
        if sharded:
            self._message = b"smessage"
            self._subscribe, self._unsubscribe = "SSUBSCRIBE", "SUNSUBSCRIBE"
            self._subscribed, self._unsubscribed = b"ssubscribe", b"sunsubscribe"

    async def attach(self, group: SubscriptionGroup) -> None:
        """Subscribe the permanent names of a group.

        Raises `CommandError`, `ConnectionLost`.
        """
        group.connection = self
        self._groups |= dict.fromkeys(group.permanent, group)
        await asyncio.shield(self.request(list(group.permanent), group, subscribe=True, registry={}).future)

    async def resubscribe(self, group: SubscriptionGroup) -> None:
        """Subscribe all names of a group again.

        Some thousands at a time, except those unsubscribed meanwhile. Raises `CommandError`, `ConnectionLost`.
        """
        names = list(group.names)
        window = MAX_NAMES_PER_COMMAND * COMMANDS_AT_ONCE
        for start in range(0, len(names), window):
            wanted = [name for name in names[start : start + window] if name in group.names]
            starts = range(0, len(wanted), MAX_NAMES_PER_COMMAND)
            chunks = (wanted[first : first + MAX_NAMES_PER_COMMAND] for first in starts)
            confirmations = [self.request(chunk, group, subscribe=True).future for chunk in chunks]
            await asyncio.shield(asyncio.gather(*confirmations))

    def detach(self, group: SubscriptionGroup) -> None:
        """Release a group that another connection takes over.

        Pending requests fail with `ConnectionLost`.
        """
        for name in group.permanent:
            self._groups.pop(name, None)
        for batch in (*self._expected, *self._unsent):
            if batch.group is group:
                batch.registry = {}
                batch.fail(ConnectionLost(f"{self.address}: subscriptions have moved"))

    def request(
        self,
        names: list[bytes],
        group: SubscriptionGroup,
        *,
        subscribe: bool,
        registry: dict[bytes, None] | None = None,
    ) -> Batch:
        """Subscribe or unsubscribe names.

        More names may join the command until this event loop turn ends.

        The future of the batch is done when Redis has confirmed all names. Raises `ConnectionLost`; the future may also
        raise `CommandError`.
        """
        if self._send_error:
            raise ConnectionLost(self._send_error)
        kind = self._subscribed if subscribe else self._unsubscribed
        batch = Batch(
            subscribe, kind, group, group.names if registry is None else registry, names, SharedFuture(loop=self.loop)
        )
        if not self._unsent:
            self.loop.call_soon(self._flush)
        self._unsent.append(batch)
        return batch

    def _flush(self) -> None:
        for batch in self._unsent:
            batch.group.unsent = None
            self._outgoing.append(pack((self._subscribe if batch.subscribes else self._unsubscribe, *batch.names)))
        self._expected.extend(self._unsent)
        self._unsent.clear()
        super()._flush()

    # ------------------------------------------------------------------------------------------ replies

    def _process_replies(self) -> None:
        if self._on_message is None:
            super()._process_replies()
            return
        gets, on_message, message = self._reader.gets, self._on_message, self._message
        until = 0.0
        count = 0
        reply = gets()
        while reply is not NO_REPLY:
            if not isinstance(reply, list):
                self._handle_other(reply)
            elif reply[0] == message:
                try:
                    on_message(reply[1], reply[2])
                except Exception:
                    log.exception("error handling a message of Redis", name=reply[1])
                count += 1
                if count % SLICE_CHECK == 0:
                    now = self.loop.time()
                    until = until or now + SLICE_SECONDS
                    if now > until:
                        self._pause_reading()
                        break
            elif reply[0] in _CONFIRMATIONS:
                reply = self._handle_confirmations(reply)
                continue
            reply = gets()
        if count:
            self.received_at = self.loop.time()

    def _pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()
            self.loop.call_soon(self._resume_reading)

    def _resume_reading(self) -> None:
        if self._transport is None or self.lost.done():
            return
        self._transport.resume_reading()
        self.data_received(b"")

    def _handle_confirmations(self, reply: Any) -> Any:
        """Process the confirmations of a command.

        They come in the order of its names and mostly in a row. Returns the first reply of another kind.
        """
        gets = self._reader.gets
        batch = self._expected[0] if self._expected else None
        if batch is None or reply[0] != batch.kind or reply[1] != batch.names[batch.confirmed]:
            self._handle_unsolicited_unsubscribe(reply[0], reply[1])
            return gets()
        kind, names = batch.kind, batch.names
        left = len(names) - batch.confirmed
        while left and isinstance(reply, list) and reply[1] == names[-left] and reply[0] == kind:
            left -= 1
            reply = gets()
        batch.confirmed = len(names) - left
        if not left:
            self._complete(self._expected.popleft())
        return reply

    @staticmethod
    def _complete(batch: Batch) -> None:
        if batch.subscribes:
            batch.registry.update(dict.fromkeys(batch.names))
        else:
            for name in batch.names:
                batch.registry.pop(name, None)
        if not batch.future.done():
            batch.future.set_result(None)

    def _handle_unsolicited_unsubscribe(self, kind: bytes, name: bytes) -> None:
        """Handle the end of a subscription that was not requested.

        The node has given the slot away.
        """
        if kind != b"sunsubscribe":
            self._fail(f"unexpected confirmation from Redis: {name!r}")
        elif name in self._groups:
            self._on_slot_moved(self._groups[name])

    def _fail_moved(self, _group: SubscriptionGroup) -> None:
        self._fail("Redis ended the subscriptions: their slot has moved")

    def _handle_other(self, reply: Any) -> None:
        """Handle errors; PONG needs no action."""
        if isinstance(reply, CommandError) and self._expected and not self._is_stale_refusal(reply):
            batch = self._expected.popleft()
            if reply.code == "NOPERM" and len(batch.names) > 1:
                batch.group.max_names = 1  # so that next time only the denied names fail
            batch.fail(reply)

    def _is_stale_refusal(self, reply: CommandError) -> bool:
        """Whether this answers an UNSUBSCRIBE of names already unsubscribed.

        Redis had already ended their subscriptions by itself.
        """
        return reply.code == "MOVED" and int(str(reply).split()[1]) != slot_of(self._expected[0].names[0])

    def _ping(self) -> None:
        if self._on_message is None:
            super()._ping()
        elif not self._send_error:
            self._send(pack(("PING",)))

    def _fail(self, reason: str) -> None:
        already = self.lost.done()
        super()._fail(reason)
        if not already:
            self._fail_batches()

    def _fail_batches(self) -> None:
        batches = (*self._expected, *self._unsent)
        self._expected, self._unsent = deque(), []
        for batch in batches:
            batch.group.unsent = None
            batch.fail(ConnectionLost(self._send_error))
