"""Clients that reconnect like SDKs and check every offset."""

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from ..errors import BenchError
from ..payload import now_us, timestamps
from .client import TIMEOUT, Address, hello
from .websocket import OP_CLOSE, PING, PONG_FRAME, FrameReader, commands_frame, handshake

if TYPE_CHECKING:
    from ..measurement.latency import Latencies

MIN_RECONNECT_DELAY: Final = 0.5
"""Minimum delay in seconds before a reconnect, plus a random delay that doubles with each failure."""

MAX_RECONNECT_DELAY: Final = 20.0

CONNECT_CONCURRENCY: Final = 200
"""Connections opened at the same time at the start."""


class Balancer:
    """Round-robin over addresses, skipping those marked as down."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses
        self._rotation = itertools.cycle(addresses)
        self._down: set[Address] = set()

    def mark_down(self, address: Address) -> None:
        """Stop using this address."""
        self._down.add(address)

    def mark_up(self, address: Address) -> None:
        """Use this address again."""
        self._down.discard(address)

    def next_address(self) -> Address:
        """Return the next address."""
        return next(address for address in self._rotation if address not in self._down)


class DeliveryStats:
    """Delivery statistics of all clients."""

    def __init__(self) -> None:
        self.lost = 0
        """Publications that a client has missed."""
        self.repeated = 0
        """Publications that a client has received twice."""
        self.unrecovered = 0
        """Subscriptions that the server could not recover."""
        self.reconnected_at: list[float] = []
        """Times at which clients have reconnected and resubscribed."""
        self.waiting = 0
        """Clients without a subscription now."""
        self._changed = asyncio.Event()

    def add_waiting(self, waiting: int) -> None:
        """Change the number of clients without a subscription."""
        self.waiting += waiting
        self._changed.set()

    async def wait_all_subscribed(self, within: float) -> None:
        """Wait until every client is subscribed. Raises `BenchError`."""
        try:
            async with asyncio.timeout(within):
                while self.waiting:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise BenchError(f"{self.waiting} clients are not subscribed within {within:.0f} s") from error


class ReconnectingClient(asyncio.Protocol):
    """A reconnecting subscriber of one channel."""

    def __init__(self, token: str, channel: str, balancer: Balancer, stats: DeliveryStats) -> None:
        self.channel = channel
        self.offset = 0
        self.latencies: Latencies | None = None
        """Collects the latencies of live publications, if set."""
        self._token = token
        self._balancer = balancer
        self._stats = stats
        self._epoch = ""
        self._commands: Iterator[int] = itertools.count(1)
        self._head: bytes | None = b""
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._subscribed = False

    async def run(self, address: Address) -> None:
        """Connect to `address`, and reconnect until cancelled.

        Each reconnect goes to the balancer's next address.
        """
        failures = 0
        while True:
            self._reset()
            try:
                async with asyncio.timeout(TIMEOUT):
                    await asyncio.get_running_loop().create_connection(lambda: self, *address)
            except (OSError, TimeoutError):
                failures += 1
            else:
                await self._closed
                failures = 0
            await asyncio.sleep(_reconnect_delay(failures))
            address = self._balancer.next_address()

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _reset(self) -> None:
        self._commands = itertools.count(1)
        self._head = b""
        self._reader = FrameReader()
        self._closed = asyncio.get_running_loop().create_future()

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the WebSocket handshake."""
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
                self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Start the reconnect."""
        self._transport = None
        self._unsubscribe()
        if not self._closed.done():
            self._closed.set_result(None)

    # Messages.

    def _send(self, *commands: dict[str, Any]) -> None:
        if self._transport is not None:
            for command in commands:
                command["id"] = next(self._commands)
            self._transport.write(commands_frame(*commands))

    def _subscribe(self) -> dict[str, Any]:
        request: dict[str, Any] = {"channel": self.channel}
        if self._epoch:
            request |= {"recover": True, "epoch": self._epoch, "offset": self.offset}
        return {"subscribe": request}

    def _on_message(self, message: bytes) -> None:
        if message == PING:
            if self._transport is not None:
                self._transport.write(PONG_FRAME)
            return
        parsed = msgspec.json.decode(message)
        push = parsed.get("push", {})
        if "pub" in push:
            self._on_publication(push["pub"])
            if self.latencies is not None:
                now = now_us()
                self.latencies.add_all([now - timestamp for timestamp in timestamps(message)])
        elif "unsubscribe" in push:
            self._unsubscribe()
            self._send(self._subscribe())
        elif "subscribe" in parsed:
            self._on_subscribed(parsed["subscribe"])
        elif "error" in parsed:
            self.close()

    def _on_subscribed(self, result: dict[str, Any]) -> None:
        if self._epoch:
            self._stats.reconnected_at.append(asyncio.get_running_loop().time())
        if result.get("recovered"):
            for publication in result.get("publications", ()):
                self._on_publication(publication)
        else:
            self._stats.unrecovered += bool(self._epoch)
            self._epoch, self.offset = result["epoch"], result.get("offset", 0)
        if not self._subscribed:
            self._subscribed = True
            self._stats.add_waiting(-1)

    def _unsubscribe(self) -> None:
        if self._subscribed:
            self._subscribed = False
            self._stats.add_waiting(1)

    def _on_publication(self, publication: dict[str, Any]) -> None:
        offset = publication["offset"]
        if offset <= self.offset:
            self._stats.repeated += 1
            return
        self._stats.lost += offset - self.offset - 1
        self.offset = offset


def _reconnect_delay(failures: int) -> float:
    return min(
        MAX_RECONNECT_DELAY,
        MIN_RECONNECT_DELAY + random.uniform(0, min(MAX_RECONNECT_DELAY, MIN_RECONNECT_DELAY * 2**failures)),
    )


class ClientGroup:
    """A group of clients and their tasks."""

    def __init__(self, stats: DeliveryStats) -> None:
        self.clients: list[ReconnectingClient] = []
        self._stats = stats
        self._tasks: list[asyncio.Task[None]] = []

    async def add(self, clients: Sequence[ReconnectingClient], address: Address) -> None:
        """Let these connect to `address`, and wait until they are subscribed.

        Raises `BenchError`.
        """
        self.clients += clients
        for start in range(0, len(clients), CONNECT_CONCURRENCY):
            batch = clients[start : start + CONNECT_CONCURRENCY]
            self._stats.add_waiting(len(batch))
            self._tasks += [asyncio.ensure_future(client.run(address)) for client in batch]
            await self._stats.wait_all_subscribed(TIMEOUT)

    async def close(self) -> None:
        """Cancel reconnects and drop all connections."""
        for task in self._tasks:
            task.cancel()
        for client in self.clients:
            client.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
