"""Clients that come back when they are sent away, as those of SDKs do, and look at every offset."""

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from ..errors import BenchError
from ..workload.payload import now_us, stamps
from .client import TIMEOUT, Address, hello
from .websocket import OP_CLOSE, PING, PONG_FRAME, FrameReader, commands_frame, handshake

if TYPE_CHECKING:
    from ..measurement.latency import Latencies

FIRST_PAUSE: Final = 0.5
"""Seconds before a client comes back: at least this, and a random time on top, which doubles with each failure."""

LONGEST_PAUSE: Final = 20.0

AT_ONCE: Final = 200
"""Connections that are being opened at the same time, when all begin."""


class Balancer:
    """Says where to connect: to each address in turn, but for those that are down."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses
        self._turn = itertools.cycle(addresses)
        self._down: set[Address] = set()

    def take_out(self, address: Address) -> None:
        """Send nobody there."""
        self._down.add(address)

    def put_back(self, address: Address) -> None:
        """Send clients there again."""
        self._down.discard(address)

    def choose(self) -> Address:
        """The next address."""
        return next(address for address in self._turn if address not in self._down)


class Book:
    """What became of all clients."""

    def __init__(self) -> None:
        self.lost = 0
        """Publications that a client did not get although it came back."""
        self.repeated = 0
        """Publications that a client got twice."""
        self.unrecovered = 0
        """Subscriptions that the server could not carry on."""
        self.returns: list[float] = []
        """When somebody was back and had recovered."""
        self.waiting = 0
        """Clients without a subscription at present."""
        self._changed = asyncio.Event()

    def note(self, waiting: int) -> None:
        """So many more clients wait for their subscription, or less."""
        self.waiting += waiting
        self._changed.set()

    async def all_back(self, within: float) -> None:
        """Wait until every client has its subscription. Raises `BenchError`."""
        try:
            async with asyncio.timeout(within):
                while self.waiting:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise BenchError(f"{self.waiting} clients are not subscribed within {within:.0f} s") from error


class Returning(asyncio.Protocol):
    """A subscriber of one channel."""

    def __init__(self, token: str, channel: str, balancer: Balancer, book: Book) -> None:
        self.channel = channel
        self.offset = 0
        self.latencies: Latencies | None = None
        """Where it notes how long publications took that came by themselves, if it should."""
        self._token = token
        self._balancer = balancer
        self._book = book
        self._epoch = ""
        self._commands: Iterator[int] = itertools.count(1)
        self._head: bytes | None = b""
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._subscribed = False

    async def run(self, first: Address) -> None:
        """Connect there, and wherever the balancer says later; until cancelled."""
        address, failures = first, 0
        while True:
            self._begin()
            try:
                async with asyncio.timeout(TIMEOUT):
                    await asyncio.get_running_loop().create_connection(lambda: self, *address)
            except (OSError, TimeoutError):
                failures += 1
            else:
                await self._ended
                failures = 0
            await asyncio.sleep(_pause(failures))
            address = self._balancer.choose()

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _begin(self) -> None:
        self._commands = itertools.count(1)
        self._head = b""
        self._reader = FrameReader()
        self._ended = asyncio.get_running_loop().create_future()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self._transport = cast("asyncio.Transport", transport)
        host, port = self._transport.get_extra_info("peername")[:2]
        self._transport.write(handshake(host, port))

    def data_received(self, data: bytes) -> None:
        """Read the head of the answer, then frames."""
        if self._head is not None:
            self._head, end, data = (self._head + data).partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in self._head[:20]:
                self.close()
                return
            self._head = None
            self._send(*hello(self._token), self._subscribe())
        for opcode, payload in self._reader.frames(data):
            if opcode == OP_CLOSE:
                self.close()
                return
            for message in payload.split(b"\n"):
                self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Come back."""
        self._transport = None
        self._unsubscribe()
        if not self._ended.done():
            self._ended.set_result(None)

    # Messages.

    def _send(self, *commands: dict[str, Any]) -> None:
        if self._transport is not None:
            for command in commands:
                command["id"] = next(self._commands)
            self._transport.write(commands_frame(*commands))

    def _subscribe(self) -> dict[str, Any]:
        wish: dict[str, Any] = {"channel": self.channel}
        if self._epoch:
            wish |= {"recover": True, "epoch": self._epoch, "offset": self.offset}
        return {"subscribe": wish}

    def _take(self, message: bytes) -> None:
        if message == PING:
            if self._transport is not None:
                self._transport.write(PONG_FRAME)
            return
        parsed = msgspec.json.decode(message)
        push = parsed.get("push", {})
        if "pub" in push:
            self._take_publication(push["pub"])
            if self.latencies is not None:
                now = now_us()
                self.latencies.add_all([now - stamp for stamp in stamps(message)])
        elif "unsubscribe" in push:
            self._unsubscribe()
            self._send(self._subscribe())
        elif "subscribe" in parsed:
            self._take_subscription(parsed["subscribe"])
        elif "error" in parsed:
            self.close()

    def _take_subscription(self, result: dict[str, Any]) -> None:
        if self._epoch:
            self._book.returns.append(asyncio.get_running_loop().time())
        if result.get("recovered"):
            for publication in result.get("publications", ()):
                self._take_publication(publication)
        else:
            self._book.unrecovered += bool(self._epoch)
            self._epoch, self.offset = result["epoch"], result.get("offset", 0)
        if not self._subscribed:
            self._subscribed = True
            self._book.note(-1)

    def _unsubscribe(self) -> None:
        if self._subscribed:
            self._subscribed = False
            self._book.note(1)

    def _take_publication(self, publication: dict[str, Any]) -> None:
        offset = publication["offset"]
        if offset <= self.offset:
            self._book.repeated += 1
            return
        self._book.lost += offset - self.offset - 1
        self.offset = offset


def _pause(failures: int) -> float:
    return min(LONGEST_PAUSE, FIRST_PAUSE + random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures)))


class Crowd:
    """All of them, and the tasks that they run in."""

    def __init__(self, book: Book) -> None:
        self.clients: list[Returning] = []
        self._book = book
        self._tasks: list[asyncio.Task[None]] = []

    async def add(self, clients: Sequence[Returning], first: Address) -> None:
        """Let these connect to `first`, and wait until they are subscribed. Raises `BenchError`."""
        self.clients += clients
        for start in range(0, len(clients), AT_ONCE):
            lot = clients[start : start + AT_ONCE]
            self._book.note(len(lot))
            self._tasks += [asyncio.ensure_future(client.run(first)) for client in lot]
            await self._book.all_back(TIMEOUT)

    async def close(self) -> None:
        """Have nobody come back any more, and drop all connections."""
        for task in self._tasks:
            task.cancel()
        for client in self.clients:
            client.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
