"""A connection that hears what is published."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from fanjet.telemetry.logging import get_logger

from .connection import NOTHING, Connection, pack
from .errors import CommandRefused, ConnectionLost
from .slots import slot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .address import Address
    from .ear import Ear

log = get_logger(__name__)

MOST_NAMES: Final = 512
"""Names in one command (07 §8.1)."""
COMMANDS_AT_ONCE: Final = 16
SLICE_SECONDS: Final = 0.002
"""Time for messages until the loop gets its turn; what was read meanwhile waits, and Redis is not read from."""
SLICE_CHECK: Final = 16
"""Messages between two looks at the clock."""


_CONFIRMATIONS: Final = frozenset((b"subscribe", b"unsubscribe", b"ssubscribe", b"sunsubscribe"))


class _Batch(Struct, eq=False, gc=False):
    """Names of one command, and who waits for each; they are told together. `kind`: of confirmations. `confirmed`: how
    many have come. `kept`: where the names are that are subscribed."""

    command: str
    kind: bytes
    ear: Ear
    kept: dict[bytes, None]
    names: list[bytes]
    waiting: list[asyncio.Future[None]]
    confirmed: int = 0

    def left(self) -> Iterator[asyncio.Future[None]]:
        """Who still waits. Those who have gone are done."""
        return (future for future in self.waiting if not future.done())


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
        self._message, self._subscribe, self._unsubscribe = b"message", "SUBSCRIBE", "UNSUBSCRIBE"
        self._ears: dict[bytes, Ear] = {}
        self._unsent: list[_Batch] = []
        self._last: dict[Ear, _Batch] = {}
        self._expected: deque[_Batch] = deque()

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
            self._message, self._subscribe, self._unsubscribe = b"smessage", "SSUBSCRIBE", "SUNSUBSCRIBE"

    async def attach(self, ear: Ear) -> None:
        """Subscribe the ear's own names. Raises `CommandRefused`, `ConnectionLost`."""
        ear.connection = self
        self._ears |= dict.fromkeys(ear.own, ear)
        await asyncio.gather(*(self.ask(name, ear, subscribe=True) for name in ear.own))

    async def subscribe_again(self, ear: Ear) -> None:
        """All names of the ear, some thousands at a time. Those that are given up meanwhile are left out. Raises
        `CommandRefused`, `ConnectionLost`."""
        names = list(ear.names)
        window = MOST_NAMES * COMMANDS_AT_ONCE
        for start in range(0, len(names), window):
            wanted = [name for name in names[start : start + window] if name in ear.names]
            await asyncio.gather(*(self.ask(name, ear, subscribe=True) for name in wanted))

    def detach(self, ear: Ear) -> None:
        """The ear listens elsewhere from now on. Who waits for a confirmation gets `ConnectionLost`."""
        for name in ear.own:
            self._ears.pop(name, None)
        for batch in (*self._expected, *self._unsent):
            if batch.ear is ear:
                batch.kept = {}
                for future in batch.left():
                    future.set_exception(ConnectionLost(f"{self.address}: what was heard there has moved"))

    def ask(self, name: bytes, ear: Ear, *, subscribe: bool) -> asyncio.Future[None]:
        """Subscribe to a name, or unsubscribe from it. Done when Redis has confirmed it. Raises `CommandRefused`,
        `ConnectionLost`. Names of one iteration of the loop share commands."""
        if self._refusal:
            raise ConnectionLost(self._refusal)
        command = self._subscribe if subscribe else self._unsubscribe
        future: asyncio.Future[None] = self.loop.create_future()
        batch = self._last.get(ear)
        if batch is not None and batch.command is command and len(batch.names) < MOST_NAMES:
            batch.names.append(name)
            batch.waiting.append(future)
        else:
            if not self._unsent:
                self.loop.call_soon(self._send_batches)
            kind = command.lower().encode()
            self._last[ear] = batch = _Batch(command, kind, ear, ear.names, [name], [future])
            self._unsent.append(batch)
        return future

    def _send_batches(self) -> None:
        unsent, self._unsent = self._unsent, []
        self._last.clear()
        self._expected.extend(unsent)
        for batch in unsent:
            self._send(pack((batch.command, *batch.names)))
        if self.lost.done():
            self._give_up()

    # ------------------------------------------------------------------------------------------ replies

    def _take_replies(self) -> None:
        if self._take is None:
            super()._take_replies()
            return
        gets, take, message = self._reader.gets, self._take, self._message
        until = 0.0
        count = 0
        while (reply := gets()) is not NOTHING:
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
                self._take_confirmation(reply[0], reply[1])
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

    def _take_confirmation(self, kind: bytes, name: bytes) -> None:
        """Confirmations come in the order of the names."""
        batch = self._expected[0] if self._expected else None
        if batch is None or batch.kind != kind or batch.names[batch.confirmed] != name:
            self._take_expulsion(kind, name)
            return
        batch.confirmed += 1
        if batch.confirmed == len(batch.names):
            self._settle(self._expected.popleft())

    def _settle(self, batch: _Batch) -> None:
        kept = batch.kept
        if batch.command is self._subscribe:
            kept.update((name, None) for name in batch.names if name not in self._ears)
        else:
            for name in batch.names:
                kept.pop(name, None)
        for future in batch.left():
            future.set_result(None)

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
            for future in self._expected.popleft().left():
                future.set_exception(reply)

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
        self._last.clear()
        for future in (future for batch in batches for future in batch.left()):
            future.set_exception(ConnectionLost(self._refusal))
