"""A connection that hears what is published."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from fanjet.telemetry.logging import get_logger

from .connection import NOTHING, Connection, pack
from .errors import CommandRefused, ConnectionLost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator

    from .address import Address

log = get_logger(__name__)

MOST_NAMES: Final = 512
"""Names in one command (07 §8.1)."""
SLICE_SECONDS: Final = 0.002
"""Time for messages until the loop gets its turn; what was read meanwhile waits, and Redis is not read from."""
SLICE_CHECK: Final = 16
"""Messages between two looks at the clock."""


_CONFIRMATIONS: Final = frozenset((b"subscribe", b"unsubscribe", b"ssubscribe", b"sunsubscribe"))


class _Batch(Struct, eq=False, gc=False):
    """Names of one command, and who waits for the confirmation of each. `confirmed`: how many have come."""

    command: str
    names: list[bytes]
    waiting: list[asyncio.Future[None]]
    confirmed: int = 0

    def left(self) -> Iterator[asyncio.Future[None]]:
        """Who still waits. Those who have gone are done."""
        return (future for future in self.waiting[self.confirmed :] if not future.done())


class ListeningConnection(Connection):
    """Hands messages on as they are read, in order, and never queues any: when this process is too slow, TCP slows
    Redis down, which in the end drops the connection. So a loss is always a lost connection, and noticed.

    `heard_at` is the time of the loop when the last message came, 0 before the first. `subscribed` holds the names that
    have been confirmed; it may be replaced by what is kept beyond this connection.
    """

    def __init__(self, address: Address, io_timeout: float) -> None:
        super().__init__(address, io_timeout)
        self.heard_at = 0.0
        self._take: Callable[[bytes, bytes], None] | None = None
        self._own: frozenset[bytes] = frozenset()
        self._message, self._subscribe, self._unsubscribe = b"message", "SUBSCRIBE", "UNSUBSCRIBE"
        self.subscribed: dict[bytes, None] = {}
        self._unsent: list[_Batch] = []
        self._expected: deque[_Batch] = deque()

    def listen(self, take: Callable[[bytes, bytes], None], *, own: Iterable[bytes] = (), sharded: bool = False) -> None:
        """From now on this connection is for subscriptions alone; `take` gets the name and the payload. Nobody
        unsubscribes from `own` names: when Redis does, the connection is lost, since its slot has moved (07 §22.4)."""
        self._take = take
        self._own = frozenset(own)
        if sharded:
            self._message, self._subscribe, self._unsubscribe = b"smessage", "SSUBSCRIBE", "SUNSUBSCRIBE"

    def subscribe(self, name: bytes) -> asyncio.Future[None]:
        """Done when Redis has confirmed it. Raises `CommandRefused`, `ConnectionLost`. Names of one iteration of the
        loop share commands."""
        return self._ask(self._subscribe, name)

    def unsubscribe(self, name: bytes) -> asyncio.Future[None]:
        """Done when Redis has confirmed it; see `subscribe`."""
        return self._ask(self._unsubscribe, name)

    def _ask(self, command: str, name: bytes) -> asyncio.Future[None]:
        if self._refusal:
            raise ConnectionLost(self._refusal)
        future: asyncio.Future[None] = self.loop.create_future()
        unsent = self._unsent
        if unsent and unsent[-1].command is command and len(unsent[-1].names) < MOST_NAMES:
            batch = unsent[-1]
            batch.names.append(name)
            batch.waiting.append(future)
        else:
            if not unsent:
                self.loop.call_soon(self._send_batches)
            unsent.append(_Batch(command, [name], [future]))
        return future

    def _send_batches(self) -> None:
        unsent, self._unsent = self._unsent, []
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
        if kind == b"sunsubscribe" and name in self._own:
            self._fail("Redis has ended the subscriptions: their slot has moved")
        if not self._expected:
            return
        batch = self._expected[0]
        future = batch.waiting[batch.confirmed]
        batch.confirmed += 1
        if batch.confirmed == len(batch.waiting):
            self._expected.popleft()
        if batch.command is self._subscribe:
            self.subscribed[name] = None
        else:
            self.subscribed.pop(name, None)
        if not future.done():
            future.set_result(None)

    def _take_other(self, reply: Any) -> None:
        """Refusals, and pongs."""
        if isinstance(reply, CommandRefused) and self._expected:
            for future in self._expected.popleft().left():
                future.set_exception(reply)

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
        for future in (future for batch in batches for future in batch.left()):
            future.set_exception(ConnectionLost(self._refusal))
