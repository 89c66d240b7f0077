"""Protocols for subscribers that receive many messages.

All of them count the messages, a few also read timestamps.

They take over a client's transport after it has subscribed. No frames are parsed: a marker in the payload identifies a
message.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from ..errors import BenchError
from ..measurement.latency import Latencies
from ..payload import MARKER, now_us, timestamps
from .client import Client
from .transports import PongSink
from .websocket import PING, PONG_FRAME

TIMED_READERS: Final = 20
"""Number of readers that read every timestamp, evenly spread over the order of subscribing."""

FIRST_PING: Final = 5.0
"""Seconds without pings: a server sends none before half of its interval of 25 s, and searching for them costs as much
as counting."""

_END_OF_MESSAGE: Final = ord("}")


class MessageCounter:
    """Messages received by all readers together."""

    __slots__ = ("_goal", "_reached", "count", "lost", "pings_due")

    def __init__(self) -> None:
        self.count = 0
        self.lost = 0
        self.pings_due = False
        self._goal = 0
        self._reached: asyncio.Event = asyncio.Event()

    def add(self, count: int) -> None:
        """Count messages; called once per received chunk."""
        self.count += count
        if self.count >= self._goal:
            self._reached.set()

    def add_lost(self) -> None:
        """Count a lost connection."""
        self.lost += 1
        self._reached.set()

    def expect_pings(self) -> None:
        """Make the readers search for pings from now on."""
        self.pings_due = True

    async def wait_for_count(self, goal: int, timeout: float) -> None:  # noqa: ASYNC109
        """Wait until `goal` messages are counted.

        Raises `BenchError` after `timeout` seconds or a lost connection.
        """
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

    __slots__ = ("_counter", "_marker", "_pong", "_pongs_to", "_rest")

    def __init__(
        self, counter: MessageCounter, pongs_to: PongSink, marker: bytes = MARKER, *, pong: bytes = PONG_FRAME
    ) -> None:
        self._counter = counter
        self._pongs_to = pongs_to
        self._pong = pong
        self._marker = marker
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Count the markers, also split ones.

        A chunk that ends with a message has no split marker.
        """
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if data[-1] != _END_OF_MESSAGE:
            self._rest = data[1 - len(self._marker) :]
        if count := data.count(self._marker):
            self._counter.add(count)
        if self._counter.pings_due and PING in data:
            self._pongs_to.write(self._pong)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the lost connection."""
        self._counter.add_lost()


class TimedReader(CountingReader):
    """Also measures the latency of each message by its timestamp."""

    __slots__ = ("_latencies", "_unread")

    def __init__(
        self, counter: MessageCounter, pongs_to: PongSink, latencies: Latencies, *, pong: bytes = PONG_FRAME
    ) -> None:
        super().__init__(counter, pongs_to, pong=pong)
        self._latencies = latencies
        self._unread = b""

    def data_received(self, data: bytes) -> None:
        """Read the timestamps of complete messages, then count.

        A message is complete up to its marker.
        """
        now = now_us()
        unread = self._unread + data
        end = unread.rfind(MARKER)
        if end >= 0:
            self._latencies.add_all([now - timestamp for timestamp in timestamps(unread[:end])])
            unread = unread[end + len(MARKER) :]
        self._unread = unread
        super().data_received(data)


def timed_indices(count: int) -> range:
    """Return the indices of the timed readers among `count`."""
    step = max(1, count // TIMED_READERS)
    return range(step - 1, count, step)


def attach_reader(transport: asyncio.Transport, counter: MessageCounter, latencies: Latencies | None) -> None:
    """Attach a reader to this transport: a timed one if `latencies` is given."""
    if latencies is None:
        transport.set_protocol(CountingReader(counter, transport))
    else:
        transport.set_protocol(TimedReader(counter, transport, latencies))


def attach_readers(clients: Sequence[Client], counter: MessageCounter, latencies: Latencies) -> None:
    """Attach readers to the clients' transports, some of them timed."""
    asyncio.get_running_loop().call_later(FIRST_PING, counter.expect_pings)
    timed = timed_indices(len(clients))
    for index, client in enumerate(clients):
        reader = (
            TimedReader(counter, client.pongs_to, latencies, pong=client.pong)
            if index in timed
            else CountingReader(counter, client.pongs_to, pong=client.pong)
        )
        client.transport.set_protocol(reader)


def attach_counters(clients: Sequence[Client], counter: MessageCounter, marker: bytes = MARKER) -> None:
    """Attach untimed readers that count `marker` to the clients' transports."""
    asyncio.get_running_loop().call_later(FIRST_PING, counter.expect_pings)
    for client in clients:
        client.transport.set_protocol(CountingReader(counter, client.pongs_to, marker, pong=client.pong))
