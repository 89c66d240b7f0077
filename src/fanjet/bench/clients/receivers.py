"""Protocols for connections that receive a lot: they count, and a few of them read the stamps.

They take over a client's transport when it is subscribed. Nothing here parses frames: a mark in it tells a message.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from ..errors import BenchError
from ..measurement.latency import Latencies
from ..workload.payload import MARK, now_us, stamps
from .client import Client
from .transports import Sink
from .websocket import PING, PONG_FRAME

TIMED_READERS: Final = 20
"""How many of the readers take the time of each message, evenly spread over the order of subscribing."""

FIRST_PING: Final = 5.0
"""Seconds without pings: a server sends none before half of its interval, which is 25 s, and looking for them costs as
much as counting."""

_END_OF_MESSAGE: Final = ord("}")


class Tally:
    """Messages received by all readers together."""

    __slots__ = ("_goal", "_reached", "count", "lost", "pings_due")

    def __init__(self) -> None:
        self.count = 0
        self.lost = 0
        self.pings_due = False
        self._goal = 0
        self._reached: asyncio.Event = asyncio.Event()

    def add(self, count: int) -> None:
        """Count messages; called once per chunk received."""
        self.count += count
        if self.count >= self._goal:
            self._reached.set()

    def add_lost(self) -> None:
        """Note that a connection went away."""
        self.lost += 1
        self._reached.set()

    def expect_pings(self) -> None:
        """Have the readers look for pings from now on."""
        self.pings_due = True

    async def reach(self, goal: int, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until `goal` messages were counted. Raises `BenchError` after `timeout` seconds or a lost connection."""
        self._goal = goal
        while self.count < goal:
            if self.lost:
                raise BenchError(f"{self.lost} subscribers were disconnected")
            self._reached.clear()
            try:
                await asyncio.wait_for(self._reached.wait(), timeout)
            except TimeoutError as error:
                raise BenchError(f"{self.count} messages of {goal} arrived within {timeout:.0f} s") from error


class CountingReader(asyncio.Protocol):
    """Counts messages and answers pings."""

    __slots__ = ("_mark", "_pong", "_pongs_to", "_rest", "_tally")

    def __init__(self, tally: Tally, pongs_to: Sink, mark: bytes = MARK, *, pong: bytes = PONG_FRAME) -> None:
        self._tally = tally
        self._pongs_to = pongs_to
        self._pong = pong
        self._mark = mark
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Count the marks, split ones included (a chunk that ends with a message has split none)."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if data[-1] != _END_OF_MESSAGE:
            self._rest = data[1 - len(self._mark) :]
        if count := data.count(self._mark):
            self._tally.add(count)
        if self._tally.pings_due and PING in data:
            self._pongs_to.write(self._pong)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the tally."""
        self._tally.add_lost()


class TimedReader(CountingReader):
    """Also takes the time from each message's stamp to now."""

    __slots__ = ("_latencies", "_unread")

    def __init__(self, tally: Tally, pongs_to: Sink, latencies: Latencies, *, pong: bytes = PONG_FRAME) -> None:
        super().__init__(tally, pongs_to, pong=pong)
        self._latencies = latencies
        self._unread = b""

    def data_received(self, data: bytes) -> None:
        """Read the stamps of the messages that are complete up to their mark, then count as the others do."""
        now = now_us()
        unread = self._unread + data
        end = unread.rfind(MARK)
        if end >= 0:
            self._latencies.add_all([now - stamp for stamp in stamps(unread[:end])])
            unread = unread[end + len(MARK) :]
        self._unread = unread
        super().data_received(data)


def timed_indices(count: int) -> range:
    """Return which of `count` readers are timed."""
    step = max(1, count // TIMED_READERS)
    return range(step - 1, count, step)


def attach_reader(transport: asyncio.Transport, tally: Tally, latencies: Latencies | None) -> None:
    """Let a reader take over this transport, a timed one if there is something to note latencies in."""
    if latencies is None:
        transport.set_protocol(CountingReader(tally, transport))
    else:
        transport.set_protocol(TimedReader(tally, transport, latencies))


def attach_readers(clients: Sequence[Client], tally: Tally, latencies: Latencies) -> None:
    """Let readers take over the clients' transports, some of them timed."""
    asyncio.get_running_loop().call_later(FIRST_PING, tally.expect_pings)
    timed = timed_indices(len(clients))
    for index, client in enumerate(clients):
        reader = (
            TimedReader(tally, client.pongs_to, latencies, pong=client.pong)
            if index in timed
            else CountingReader(tally, client.pongs_to, pong=client.pong)
        )
        client.transport.set_protocol(reader)


def attach_counters(clients: Sequence[Client], tally: Tally, mark: bytes = MARK) -> None:
    """Let untimed readers that count `mark` take over the clients' transports."""
    asyncio.get_running_loop().call_later(FIRST_PING, tally.expect_pings)
    for client in clients:
        client.transport.set_protocol(CountingReader(tally, client.pongs_to, mark, pong=client.pong))
