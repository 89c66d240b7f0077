"""A UDP socket: whose datagram is this, and who may have a connection (RFC 9000 sections 5.2 and 8.1)."""

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
"""Handshakes in progress, above which new clients have to prove their address first. It costs them a round trip, and us
next to nothing."""
MAX_HANDSHAKES: Final = 1000
"""Handshakes in progress, above which new clients are not answered: they try again by themselves."""
MAX_RESETS: Final = 100
"""Datagrams of unknown connections in a second, above which they are not answered."""

_LONG_HEADER: Final = 0x80

log = logging.getLogger(__name__)


class QuicEndpoint(asyncio.DatagramProtocol):
    """Gives each datagram to its connection and makes connections for those of new clients."""

    def __init__(
        self,
        server: "Http3Server",
        configuration: "QuicConfiguration",
        bound: "socket.socket",
        ids: "ConnectionIds",
        peers: "PeerProcesses | None" = None,
    ) -> None:
        """Read from a bound socket, which stays the caller's to close. `peers` are read from it or its like, too."""
        self.local_address = str(bound.getsockname())
        """The address that clients send to."""
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
        """Answer clients from now on."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=self._socket.dup())

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket over."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: "NetworkAddress") -> None:
        """Take a datagram in, or give it to the process that has its connection."""
        if data and not self._forward(data, addr):
            self.receive(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Some earlier datagram could not be delivered, which loss recovery deals with."""

    # What connections and the listener call.

    def receive(self, data: bytes, addr: "NetworkAddress") -> None:
        """Find the connection by the id that the datagram carries."""
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
            with contextlib.suppress(OSError):  # as when it gets lost on its way
                self._socket.sendto(data, address)

    def stop_receiving(self) -> None:
        """Read no more from the socket: another process does, and hands on what is for connections of this one."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def add_id(self, connection: Http3Connection, connection_id: bytes) -> None:
        """Let a connection be known by one more id."""
        connection.ids.add(connection_id)
        self._by_id[connection_id] = connection

    def drop_id(self, connection: Http3Connection, connection_id: bytes) -> None:
        """Let a connection be known by one id less."""
        connection.ids.discard(connection_id)
        self._by_id.pop(connection_id, None)

    def handshake_ended(self, connection: Http3Connection) -> None:
        """A client has proved that it is there."""
        self._handshaking.discard(connection)

    def forget(self, connection: Http3Connection) -> None:
        """A connection is gone."""
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

    # Datagrams of connections that are not here.

    def _forward(self, data: bytes, addr: "NetworkAddress") -> bool:
        """Whether the datagram is another process's affair. An id that a client has made looks like one of those by
        chance now and then, which is no matter: that process makes a connection as well as this one."""
        if self._peers is None:
            return False
        connection_id = destination_id(data)
        if len(connection_id) != ID_BYTES or connection_id in self._by_id:
            return False
        owner = self._ids.owner(connection_id)
        return owner != self._ids.number and self._peers.forward(owner, self.local_address, data, addr)

    def _send_stateless_reset(self, data: bytes, addr: "NetworkAddress") -> None:
        """Have the client give up a connection that is no more, instead of waiting until it has timed out."""
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
        """The connection of a datagram from the time of the handshake, a new one where it asks for one."""
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=ID_BYTES)
        except ValueError:
            return None
        if header.packet_type is QuicPacketType.VERSION_NEGOTIATION:  # answered, it could be made to echo for ever
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
        """Make a connection for a client that returns a token of ours; others have to begin without one."""
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
        """Send a token that comes back only from where it was sent to. Nothing is remembered."""
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
