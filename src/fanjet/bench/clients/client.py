"""A small bidirectional client that connects and subscribes.

Afterwards it hands over its transport.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec

from ..certificate import HOST, CertificatePair
from ..errors import BenchError, NotAvailable
from .transports import WEBSOCKET, PongSink, TransportSpec
from .websocket import OP_CLOSE, OP_PING, OP_PONG, PING

Address = tuple[str, int]
Reply = dict[str, Any]

TIMEOUT = 20.0
"""Timeout in seconds for connecting and for each operation."""

SOURCE_SPREAD = 20_000
"""Connections per loopback source address; an address has about 28 000 ephemeral ports for one server."""

_IP_BIND_ADDRESS_NO_PORT = 24  # Linux; Python names it from 3.12 on
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # no TIME_WAIT: a storm of connections must not run out of ports


class Client(asyncio.Protocol):
    """A connection that parses all messages, for the set-up of a scenario.

    Cheaper protocols then take over its transport.
    """

    __slots__ = (
        "_close_code",
        "_head",
        "_hello",
        "_reader",
        "_spec",
        "pong",
        "pongs_to",
        "ready",
        "replies",
        "transport",
    )

    transport: asyncio.Transport
    pong: bytes
    """The reply to a ping,"""
    pongs_to: PongSink
    """and the sink it is written to."""

    def __init__(self, hello: list[Reply], transport_spec: TransportSpec = WEBSOCKET) -> None:
        """Create a client that sends the commands `hello` when its connection is open.

        The commands are numbered from 1 and sent in one frame.
        """
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.replies: dict[int, Reply] = {}
        self._close_code: int | None = None
        self._hello = hello
        self._spec = transport_spec
        self._head: bytes | None = None if transport_spec.status is None else b""
        self._reader = transport_spec.reader()
        self.pong = transport_spec.pong

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        self.transport = self.pongs_to = cast("asyncio.Transport", transport)
        host, port = self.transport.get_extra_info("peername")[:2]
        self.transport.write(self._spec.request(host, port, self._hello))

    def data_received(self, data: bytes) -> None:
        """Read the head of the answer, then frames."""
        if self._head is not None:
            data = self._read_head(self._head + data)
        for opcode, payload in self._reader.frames(data):
            self._on_frame(opcode, payload)

    def _read_head(self, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            self._head = head
            return b""
        self._head = None
        if self._spec.status is not None and self._spec.status not in head[:20]:
            self._fail(BenchError(f"connection refused: {head[:100]!r}"))
            self.transport.abort()
            return b""
        if follow_up := self._spec.follow_up(self._hello):
            self.transport.write(follow_up)
        return rest

    def _on_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == OP_PING:
            self.transport.write(self._spec.native_pong(payload))
        elif opcode == OP_CLOSE:
            self._close_code = int.from_bytes(payload[:2], "big")
            self.transport.close()
        elif opcode != OP_PONG:
            for message in payload.split(b"\n"):
                self._on_message(message)

    def _on_message(self, message: bytes) -> None:
        if message == PING:
            self.pongs_to.write(self.pong)
        elif self._spec.unidirectional:
            self._on_push(message)
        elif not message.startswith(b'{"push"'):
            self._on_reply(msgspec.json.decode(message))

    def _on_push(self, message: bytes) -> None:
        """Handle the push that replies to all commands."""
        if message.startswith(b'{"connect"'):
            subscribed = msgspec.json.decode(message)["connect"].get("subs", {})
            if len(subscribed) < len(self._hello) - 1:
                self._fail(BenchError(f"subscribed to {sorted(subscribed)} only"))
            elif not self.ready.done():
                self.ready.set_result(None)
        elif message.startswith(b'{"disconnect"'):
            self._fail(BenchError(f"refused: {message.decode()}"))

    def _on_reply(self, reply: Reply) -> None:
        number = reply["id"]
        self.replies[number] = reply
        if "error" in reply:
            self._fail(BenchError(f"{self._hello[number - 1]} answered {reply['error']}"))
        elif len(self.replies) == len(self._hello) and not self.ready.done():
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail if replies are missing."""
        self._fail(BenchError(f"connection closed by the server ({self._close_code or exc or 'no close frame'})"))

    def _fail(self, error: BenchError) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # marks it as retrieved: there may be no waiter any more


def hello(token: str, *subscriptions: Reply) -> list[Reply]:
    """Return the commands to connect with `token` and to subscribe.

    `subscriptions` are the bodies of the subscribe commands.
    """
    commands: list[Reply] = [{"id": 1, "connect": {"token": token}}]
    commands += [{"id": number, "subscribe": body} for number, body in enumerate(subscriptions, start=2)]
    return commands


async def open_client(
    address: Address,
    commands: list[Reply],
    *,
    transport_spec: TransportSpec = WEBSOCKET,
    certificate: CertificatePair | None = None,
    index: int = 0,
    slow: bool = False,
) -> Client:
    """Connect and wait for the replies to `commands`.

    Raises `NotAvailable` for a carrier that is not there.

    A `certificate` to trust makes the connection encrypted. `index` spreads connections over loopback source addresses.
    A `slow` connection has small kernel buffers on both sides, so that the server has to queue what it does not read.
    """
    client = Client(commands, transport_spec)
    address = address[0], transport_spec.port(address[1])
    try:
        async with asyncio.timeout(TIMEOUT):
            if transport_spec.quic:
                await _connect_by_quic(client, address, certificate)
            else:
                await _connect(client, _client_socket(address, index, slow=slow), address, certificate)
            await client.ready
    except TimeoutError as error:
        raise BenchError(f"not connected and subscribed within {TIMEOUT:.0f} s") from error
    except OSError as error:
        raise BenchError(f"cannot connect to {address[0]}:{address[1]}: {error}") from error
    return client


async def _connect(client: Client, sock: socket.socket, address: Address, certificate: CertificatePair | None) -> None:
    loop = asyncio.get_running_loop()
    tls = certificate.trust() if certificate else None
    try:
        await loop.sock_connect(sock, address)
        await loop.create_connection(lambda: client, sock=sock, ssl=tls, server_hostname=HOST if tls else None)
    except BaseException:
        sock.close()
        raise


async def _connect_by_quic(client: Client, address: Address, certificate: CertificatePair | None) -> None:
    try:
        from .webtransport import open_session  # noqa: PLC0415 an extra
    except ImportError as error:
        raise NotAvailable("WebTransport needs the extra fanjet[http3]") from error
    assert certificate is not None, "QUIC is encrypted"
    await open_session(address, certificate, client)


def _client_socket(address: Address, index: int, *, slow: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    if slow:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)  # loopback's 64 KB let the sender keep megabytes
    if index >= SOURCE_SPREAD and address[0].startswith("127."):
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((f"127.0.0.{2 + index // SOURCE_SPREAD}", 0))
    return sock


async def open_clients(
    address: Address,
    hellos: Iterable[list[Reply]],
    *,
    transport_spec: TransportSpec = WEBSOCKET,
    certificate: CertificatePair | None = None,
    in_flight: int = 100,
    on_open: Callable[[float], None] | None = None,
) -> list[Client]:
    """Open a connection for each of `hellos`, `in_flight` at a time.

    The first failure cancels the others.

    Returns the clients in the order of `hellos`. `on_open` is called with the seconds from SYN to ready.
    """
    queue = enumerate(hellos)
    clients: dict[int, Client] = {}
    clock = asyncio.get_running_loop().time

    async def opener() -> None:
        for index, commands in queue:
            started = clock()
            clients[index] = await open_client(
                address, commands, transport_spec=transport_spec, certificate=certificate, index=index
            )
            if on_open is not None:
                on_open(clock() - started)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(opener())
    except BaseExceptionGroup as errors:
        abort_all(clients.values())
        raise errors.exceptions[0] from errors
    return [clients[index] for index in sorted(clients)]


def abort_all(clients: Iterable[Client]) -> None:
    """Drop these connections at once, without a closing handshake."""
    for client in clients:
        client.transport.abort()
