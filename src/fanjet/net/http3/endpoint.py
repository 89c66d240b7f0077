"""A UDP socket that dispatches datagrams to connections and admits clients.

RFC 9000 sections 5.2, 8.1.
"""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, cast

from aioquic._buffer import Buffer
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from .connection import Http3Connection
from .connection_ids import ID_BYTES, destination_id, stateless_reset
from .quic import ServerQuic

if TYPE_CHECKING:
    import socket

    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.connection import NetworkAddress

    from .connection_ids import ConnectionIds
    from .peer_processes import PeerProcesses
    from .server import Http3Server

RETRY_ABOVE: Final = 100
"""Handshakes in progress above which new clients must validate their address first. It costs them a round trip, and us
next to nothing."""
MAX_HANDSHAKES: Final = 1000
"""Handshakes in progress above which new clients get no response: they retry by themselves."""
MAX_RESETS: Final = 100
"""Stateless resets per second."""

_LONG_HEADER: Final = 0x80

log = logging.getLogger(__name__)


class QuicEndpoint(asyncio.DatagramProtocol):
    """Passes each datagram to its connection and creates connections for new clients."""

    def __init__(
        self,
        server: "Http3Server",
        configuration: "QuicConfiguration",
        bound: "socket.socket",
        ids: "ConnectionIds",
        peers: "PeerProcesses | None" = None,
    ) -> None:
        """Read from a bound socket, which the caller closes. `peers` share its address."""
        self.local_address = str(bound.getsockname())
        """The bound address."""
        self._server = server
        self._configuration = configuration
        self._socket = bound
        self._ids = ids
        self._peers = peers
        self._by_id: dict[bytes, Http3Connection] = {}
        self._handshaking: set[Http3Connection] = set()
        self._retry = QuicRetryTokenHandler()
        self._transport: asyncio.DatagramTransport | None = None
        self._resets = 0
        self._resets_since = 0.0

    async def start(self) -> None:
        """Start accepting clients."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=self._socket.dup())

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: "NetworkAddress") -> None:
        """Process a datagram, or forward it to the process that owns its connection."""
        if data and not self._forward(data, addr):
            self.receive(data, addr)

    def error_received(self, exc: Exception) -> None:
        """An earlier datagram could not be delivered, which loss recovery handles."""

    # Called by connections and the listener.

    def receive(self, data: bytes, addr: "NetworkAddress") -> None:
        """Process a datagram of this process."""
        is_long = data[0] & _LONG_HEADER
        connection = self._find_or_accept(data, addr) if is_long else self._by_id.get(destination_id(data))
        if connection is None:
            if not is_long:
                self._send_stateless_reset(data, addr)
            return
        try:
            connection.datagram_received(data, addr)
        except Exception:
            log.exception("HTTP/3 connection failed")
            connection.fail()

    def send(self, data: bytes, address: "NetworkAddress") -> None:
        """Send a datagram."""
        if self._transport is not None:
            self._transport.sendto(data, address)
        else:
            with contextlib.suppress(OSError):  # like a lost datagram
                self._socket.sendto(data, address)

    def stop_receiving(self) -> None:
        """Stop reading from the socket.

        Another process reads it and forwards our datagrams.
        """
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def add_id(self, connection: Http3Connection, connection_id: bytes) -> None:
        """Register an id of a connection."""
        connection.ids.add(connection_id)
        self._by_id[connection_id] = connection

    def drop_id(self, connection: Http3Connection, connection_id: bytes) -> None:
        """Unregister an id of a connection."""
        connection.ids.discard(connection_id)
        self._by_id.pop(connection_id, None)

    def handshake_ended(self, connection: Http3Connection) -> None:
        """A client has completed its handshake."""
        self._handshaking.discard(connection)

    def forget(self, connection: Http3Connection) -> None:
        """A connection has ended."""
        for connection_id in connection.ids:
            self._by_id.pop(connection_id, None)
        connection.ids.clear()
        self._handshaking.discard(connection)
        self._server.forget(connection)

    def close(self) -> None:
        """Close every connection and the socket."""
        for connection in set(self._by_id.values()):
            connection.close()
        self.stop_receiving()

    # Datagrams of other connections.

    def _forward(self, data: bytes, addr: "NetworkAddress") -> bool:
        """Whether the datagram was forwarded to another process.

        An id created by a client may match one by chance: that process then creates the connection just as well.
        """
        if self._peers is None:
            return False
        connection_id = destination_id(data)
        if len(connection_id) != ID_BYTES or connection_id in self._by_id:
            return False
        owner = self._ids.owner(connection_id)
        return owner != self._ids.number and self._peers.forward(owner, self.local_address, data, addr)

    def _send_stateless_reset(self, data: bytes, addr: "NetworkAddress") -> None:
        """Let the client drop an unknown connection at once, instead of after a timeout."""
        now = self._server.wheel.clock()
        if now >= self._resets_since + 1.0:
            self._resets_since = now
            self._resets = 0
        self._resets += 1
        if self._resets <= MAX_RESETS:
            reset = stateless_reset(data, self._ids.reset_token(destination_id(data)))
            if reset:
                self.send(reset, addr)

    # New clients.

    def _find_or_accept(self, data: bytes, addr: "NetworkAddress") -> Http3Connection | None:
        """The connection of a handshake datagram, a new one for a first packet."""
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=ID_BYTES)
        except ValueError:
            return None
        if header.packet_type is QuicPacketType.VERSION_NEGOTIATION:  # a response could cause an endless loop
            return None
        if header.version not in self._configuration.supported_versions:
            if len(data) >= SMALLEST_MAX_DATAGRAM_SIZE:
                self._negotiate_version(header, addr)
            return None
        known = self._by_id.get(header.destination_cid)
        if known is not None:
            return known
        is_first = header.packet_type is QuicPacketType.INITIAL and len(data) >= SMALLEST_MAX_DATAGRAM_SIZE
        if not is_first or self._server.stopping or len(self._handshaking) >= MAX_HANDSHAKES:
            return None
        if header.token:
            return self._accept_with_token(header, addr)
        if len(self._handshaking) >= RETRY_ABOVE:
            self._send_retry(header, addr)
            return None
        return self._accept(header.destination_cid, original=header.destination_cid)

    def _accept(self, connection_id: bytes, *, original: bytes, retried: bytes | None = None) -> Http3Connection:
        quic = ServerQuic(
            self._ids,
            configuration=self._configuration,
            original_destination_connection_id=original,
            retry_source_connection_id=retried,
        )
        connection = Http3Connection(self._server, self, quic)
        self._server.connections.add(connection)
        self._handshaking.add(connection)
        self.add_id(connection, connection_id)
        self.add_id(connection, quic.host_cid)
        return connection

    def _accept_with_token(self, header: QuicHeader, addr: "NetworkAddress") -> Http3Connection | None:
        """Create a connection for a client with a valid retry token.

        Others must start without a token.
        """
        try:
            original = self._retry.validate_token(
                address=addr,
                destination_cid=header.destination_cid,
                token=header.token,
                now=self._server.wheel.clock(),
            )
        except ValueError:
            return None
        return self._accept(header.destination_cid, original=original, retried=header.destination_cid)

    def _send_retry(self, header: QuicHeader, addr: "NetworkAddress") -> None:
        """Send a token that validates the client's address. No state is kept."""
        source = self._ids.new()
        token = self._retry.create_token(
            address=addr,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=source,
            now=self._server.wheel.clock(),
        )
        self.send(
            encode_quic_retry(
                version=cast("int", header.version),
                source_cid=source,
                destination_cid=header.source_cid,
                original_destination_cid=header.destination_cid,
                retry_token=token,
            ),
            addr,
        )

    def _negotiate_version(self, header: QuicHeader, addr: "NetworkAddress") -> None:
        self.send(
            encode_quic_version_negotiation(
                source_cid=header.destination_cid,
                destination_cid=header.source_cid,
                supported_versions=self._configuration.supported_versions,
            ),
            addr,
        )
