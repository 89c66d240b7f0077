"""A connection that hears what is published."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from fanjet.telemetry.logging import get_logger

from ..connections.connection import NOTHING, Connection, pack
from ..connections.errors import CommandRefused, ConnectionLost
from ..topology.slots import slot_of
from .group import MOST_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.engines.interfaces import EngineUnavailable

    from ..connections.address import Address
    from .group import Ear

log = get_logger(__name__)

COMMANDS_AT_ONCE: Final = 16
SLICE_SECONDS: Final = 0.002
"""Time for messages until the loop gets its turn; what was read meanwhile waits, and Redis is not read from."""
SLICE_CHECK: Final = 16
"""Messages between two looks at the clock."""


_CONFIRMATIONS: Final = frozenset((b"subscribe", b"unsubscribe", b"ssubscribe", b"sunsubscribe"))


class Answer(asyncio.Future[None]):
    """What many wait for: who is cancelled ends when it has come, and the others get it, too."""

    def cancel(self, msg: Any = None) -> bool:
        """Refuse."""
        return False


class Batch(Struct, eq=False, gc=False):
    """Names of one command, of which Redis confirms each, and one answer to all who have asked. `kind`: of
    confirmations. `confirmed`: how many have come. `kept`: where the names are that are subscribed."""

    subscribes: bool
    kind: bytes
    ear: Ear
    kept: dict[bytes, None]
    names: list[bytes]
    answer: Answer
    confirmed: int = 0

    def fail(self, error: EngineUnavailable) -> None:
        """Tell those who wait for it."""
        if not self.answer.done():
            self.answer.set_exception(error)


class ListeningConnection(Connection):
    """Hands messages on as they are read, in order, and never queues any: when this process is too slow, TCP slows
    Redis down, which in the end drops the connection. So a loss is always a lost connection, and noticed.

    Commands are for one ear each, since names in different slots may not share any. `heard_at` is the time of the loop
    when the last message came, 0 before the first.
    """

    def __init__(self, address: Address, io_timeout: float) -> None:
        super().__init__(address, io_timeout)
        self.heard_at = 0.0
        self._take: Callable[[bytes, bytes], None] | None = None
        self._on_moved: Callable[[Ear], None] = self._end
        self._message = b"message"
        self._subscribe, self._unsubscribe = "SUBSCRIBE", "UNSUBSCRIBE"
        self._subscribed, self._unsubscribed = b"subscribe", b"unsubscribe"
        self._ears: dict[bytes, Ear] = {}
        self._unsent: list[Batch] = []
        self._expected: deque[Batch] = deque()

    def listen(
        self,
        take: Callable[[bytes, bytes], None],
        *,
        sharded: bool = False,
        on_moved: Callable[[Ear], None] | None = None,
    ) -> None:
        """From now on this connection is for subscriptions alone; `take` gets the name and the payload. Nobody
        unsubscribes from an ear's own names: when Redis does, their slot has moved (07 §22.4), and `on_moved` gets the
        ear; without it the connection is lost then."""
        self._take = take
        self._on_moved = on_moved or self._end
        if sharded:
            self._message = b"smessage"
            self._subscribe, self._unsubscribe = "SSUBSCRIBE", "SUNSUBSCRIBE"
            self._subscribed, self._unsubscribed = b"ssubscribe", b"sunsubscribe"

    async def attach(self, ear: Ear) -> None:
        """Subscribe the ear's own names. Raises `CommandRefused`, `ConnectionLost`."""
        ear.connection = self
        self._ears |= dict.fromkeys(ear.own, ear)
        await asyncio.shield(self.ask(list(ear.own), ear, subscribe=True, kept={}).answer)

    async def subscribe_again(self, ear: Ear) -> None:
        """All names of the ear, some thousands at a time. Those that are given up meanwhile are left out. Raises
        `CommandRefused`, `ConnectionLost`."""
        names = list(ear.names)
        window = MOST_NAMES * COMMANDS_AT_ONCE
        for start in range(0, len(names), window):
            wanted = [name for name in names[start : start + window] if name in ear.names]
            shares = (wanted[place : place + MOST_NAMES] for place in range(0, len(wanted), MOST_NAMES))
            answers = [self.ask(share, ear, subscribe=True).answer for share in shares]
            await asyncio.shield(asyncio.gather(*answers))

    def detach(self, ear: Ear) -> None:
        """The ear listens elsewhere from now on. Who waits for a confirmation gets `ConnectionLost`."""
        for name in ear.own:
            self._ears.pop(name, None)
        for batch in (*self._expected, *self._unsent):
            if batch.ear is ear:
                batch.kept = {}
                batch.fail(ConnectionLost(f"{self.address}: what was heard there has moved"))

    def ask(self, names: list[bytes], ear: Ear, *, subscribe: bool, kept: dict[bytes, None] | None = None) -> Batch:
        """Subscribe to names, or unsubscribe from them, by a command that more may join until this iteration of the
        loop ends. Answered when Redis has confirmed all. Raises `ConnectionLost`, the answer `CommandRefused`, too."""
        if self._refusal:
            raise ConnectionLost(self._refusal)
        kind = self._subscribed if subscribe else self._unsubscribed
        batch = Batch(subscribe, kind, ear, ear.names if kept is None else kept, names, Answer(loop=self.loop))
        if not self._unsent:
            self.loop.call_soon(self._flush)
        self._unsent.append(batch)
        return batch

    def _flush(self) -> None:
        for batch in self._unsent:
            batch.ear.unsent = None
            self._outgoing.append(pack((self._subscribe if batch.subscribes else self._unsubscribe, *batch.names)))
        self._expected.extend(self._unsent)
        self._unsent.clear()
        super()._flush()

    # ------------------------------------------------------------------------------------------ replies

    def _take_replies(self) -> None:
        if self._take is None:
            super()._take_replies()
            return
        gets, take, message = self._reader.gets, self._take, self._message
        until = 0.0
        count = 0
        reply = gets()
        while reply is not NOTHING:
            if not isinstance(reply, list):
                self._take_other(reply)
            elif reply[0] == message:
                try:
                    take(reply[1], reply[2])
                except Exception:
                    log.exception("error handling a message of Redis", name=reply[1])
                count += 1
                if count % SLICE_CHECK == 0:
                    now = self.loop.time()
                    until = until or now + SLICE_SECONDS
                    if now > until:
                        self._go_on_later()
                        break
            elif reply[0] in _CONFIRMATIONS:
                reply = self._take_confirmations(reply)
                continue
            reply = gets()
        if count:
            self.heard_at = self.loop.time()

    def _go_on_later(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._transport is None or self.lost.done():
            return
        self._transport.resume_reading()
        self.data_received(b"")

    def _take_confirmations(self, reply: Any) -> Any:
        """Of the names of a command, in their order, most often one behind the other. Returns the first reply that is
        something else."""
        gets = self._reader.gets
        batch = self._expected[0] if self._expected else None
        if batch is None or reply[0] != batch.kind or reply[1] != batch.names[batch.confirmed]:
            self._take_expulsion(reply[0], reply[1])
            return gets()
        kind, names = batch.kind, batch.names
        left = len(names) - batch.confirmed
        while left and isinstance(reply, list) and reply[1] == names[-left] and reply[0] == kind:
            left -= 1
            reply = gets()
        batch.confirmed = len(names) - left
        if not left:
            self._settle(self._expected.popleft())
        return reply

    @staticmethod
    def _settle(batch: Batch) -> None:
        if batch.subscribes:
            batch.kept.update(dict.fromkeys(batch.names))
        else:
            for name in batch.names:
                batch.kept.pop(name, None)
        if not batch.answer.done():
            batch.answer.set_result(None)

    def _take_expulsion(self, kind: bytes, name: bytes) -> None:
        """A node that gives a slot away ends what is subscribed there without being asked."""
        if kind != b"sunsubscribe":
            self._fail(f"Redis confirms what it was not asked for: {name!r}")
        elif name in self._ears:
            self._on_moved(self._ears[name])

    def _end(self, _ear: Ear) -> None:
        self._fail("Redis has ended the subscriptions: their slot has moved")

    def _take_other(self, reply: Any) -> None:
        """Refusals, and pongs."""
        if isinstance(reply, CommandRefused) and self._expected and not self._is_late(reply):
            batch = self._expected.popleft()
            if reply.code == "NOPERM" and len(batch.names) > 1:
                batch.ear.most = 1  # the next time only those fail that are not permitted
            batch.fail(reply)

    def _is_late(self, reply: CommandRefused) -> bool:
        """Whether this refuses to end subscriptions that Redis had ended by itself, so that nobody waits any more."""
        return reply.code == "MOVED" and int(str(reply).split()[1]) != slot_of(self._expected[0].names[0])

    def _ping(self) -> None:
        if self._take is None:
            super()._ping()
        elif not self._refusal:
            self._send(pack(("PING",)))

    def _fail(self, why: str) -> None:
        already = self.lost.done()
        super()._fail(why)
        if not already:
            self._give_up()

    def _give_up(self) -> None:
        batches = (*self._expected, *self._unsent)
        self._expected, self._unsent = deque(), []
        for batch in batches:
            batch.ear.unsent = None
            batch.fail(ConnectionLost(self._refusal))
