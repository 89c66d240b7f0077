"""A connection that hears what is published."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from fanjet.telemetry.logging import get_logger

from .connection import NOTHING, Connection, pack
from .errors import CommandRefused, ConnectionLost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from .address import Address

log = get_logger(__name__)

MOST_NAMES: Final = 512
"""Names in one command (07 §8.1)."""
SLICE_SECONDS: Final = 0.002
"""Time for messages until the loop gets its turn; what was read meanwhile waits, and Redis is not read from."""
SLICE_CHECK: Final = 16
"""Messages between two looks at the clock."""


_CONFIRMATIONS: Final = (b"subscribe", b"unsubscribe", b"ssubscribe", b"sunsubscribe")


class ListeningConnection(Connection):
    """Hands messages on as they are read, in order, and never queues any: when this process is too slow, TCP slows
    Redis down, which in the end drops the connection. So a loss is always a lost connection, and noticed.

    `heard_at` is the time of the loop when the last message came, 0 before the first.
    """

    def __init__(self, address: Address, io_timeout: float) -> None:
        super().__init__(address, io_timeout)
        self.heard_at = 0.0
        self._take: Callable[[bytes, bytes], None] | None = None
        self._own: frozenset[bytes] = frozenset()
        self._message, self._subscribe, self._unsubscribe = b"message", "SUBSCRIBE", "UNSUBSCRIBE"
        self._asked: list[tuple[str, bytes, asyncio.Future[None]]] = []
        self._expected: deque[deque[asyncio.Future[None]]] = deque()

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
        if not self._asked:
            self.loop.call_soon(self._send_asked)
        self._asked.append((command, name, future))
        return future

    def _send_asked(self) -> None:
        asked, self._asked = self._asked, []
        start = 0
        while start < len(asked):
            command = asked[start][0]
            end = start + 1
            while end < len(asked) and end - start < MOST_NAMES and asked[end][0] == command:
                end += 1
            self._expected.append(deque(future for _, _, future in asked[start:end]))
            self._send(pack((command, *(name for _, name, _ in asked[start:end]))))
            start = end
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
            else:
                self._take_other(reply)
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

    def _take_other(self, reply: Any) -> None:
        """Confirmations, refusals, pongs."""
        if isinstance(reply, CommandRefused):
            if self._expected:
                for future in self._expected.popleft():
                    if not future.done():
                        future.set_exception(reply)
        elif not isinstance(reply, list):
            return
        elif reply[0] == b"sunsubscribe" and reply[1] in self._own:
            self._fail("Redis has ended the subscriptions: their slot has moved")
        elif reply[0] in _CONFIRMATIONS and self._expected:
            batch = self._expected[0]
            future = batch.popleft()
            if not future.done():
                future.set_result(None)
            if not batch:
                self._expected.popleft()

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
        expected, self._expected = self._expected, deque()
        asked, self._asked = self._asked, []
        for future in (*(each for batch in expected for each in batch), *(future for _, _, future in asked)):
            if not future.done():
                future.set_exception(ConnectionLost(self._refusal))
