"""The client side of WebTransport, with one QUIC connection per session.

It needs the extra `fanjet[http3]`.

A message costs a multiple of that on a plain socket in aioquic: a few dozen subscribers occupy a processor.
"""

import asyncio
from typing import Any, Final, cast

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent, StreamDataReceived

from ..certificate import HOST, CertificatePair
from ..errors import BenchError, NotAvailable

PATH: Final = b"/connection/webtransport"

_ALPN: Final = "h3"
_NO_APPLICATION_PROTOCOL: Final = 0x100 + 120
"""The TLS alert as a QUIC error code (RFC 9001 section 4.8)."""


class SessionTransport(asyncio.Transport):
    """The message stream of a session as an asyncio transport."""

    def __init__(self, session: "_Session", address: tuple[str, int], protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": address})
        self.protocol = protocol
        self._session = session
        self._closing = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Replace the protocol that receives data."""
        self.protocol = cast("asyncio.Protocol", protocol)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send on the stream."""
        self._session.send(bytes(data))

    def is_closing(self) -> bool:
        """Whether either side has closed."""
        return self._closing

    def connection_lost(self, error: Exception | None) -> None:
        """Call the protocol's `connection_lost` once."""
        if not self._closing:
            self._closing = True
            self.protocol.connection_lost(error)

    def abort(self) -> None:
        """Drop the connection."""
        self._closing = True
        self._session.drop()

    close = abort


class _Session(QuicConnectionProtocol):
    """A connection whose message stream bypasses HTTP/3 once it is open."""

    def __init__(self, quic: QuicConnection, address: tuple[str, int], protocol: asyncio.Protocol) -> None:
        super().__init__(quic)
        self._address = address
        self._protocol = protocol
        self._http: H3Connection | None = None
        self._request = self._stream = -1
        self._messages: SessionTransport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, data: bytes) -> None:
        """Send on the stream, together with other data of this event loop turn."""
        self._quic.send_stream_data(self._stream, data)
        self._transmit_soon()

    def drop(self) -> None:
        """Close the connection without waiting for the peer."""
        self.close()
        if self._timer is not None:
            self._timer.cancel()
        assert self._transport is not None
        self._transport.close()

    def quic_event_received(self, event: QuicEvent) -> None:
        """Pass on messages; all other events open the session."""
        if isinstance(event, StreamDataReceived) and event.stream_id == self._stream:
            assert self._messages is not None
            if event.data:
                self._messages.protocol.data_received(event.data)
            if event.end_stream:
                self._messages.connection_lost(None)
        elif isinstance(event, ProtocolNegotiated):
            self._request_session(event.alpn_protocol)
        elif isinstance(event, ConnectionTerminated):
            self._terminated(event)
        elif self._http is not None:
            for happened in self._http.handle_event(event):
                self._on_http(happened)

    def _request_session(self, alpn: str | None) -> None:
        """Request a session."""
        if alpn != _ALPN:
            self._fail(NotAvailable("the server agrees on no HTTP/3"))
            return
        self._http = H3Connection(self._quic, enable_webtransport=True)
        self._request = self._quic.get_next_available_stream_id()
        self._http.send_headers(
            self._request,
            [
                (b":method", b"CONNECT"),
                (b":protocol", b"webtransport"),
                (b":scheme", b"https"),
                (b":authority", HOST.encode()),
                (b":path", PATH),
            ],
        )

    def _on_http(self, event: H3Event) -> None:
        """Open the stream when the session is accepted."""
        if not isinstance(event, HeadersReceived) or event.stream_id != self._request:
            return
        status = dict(event.headers)[b":status"]
        if status != b"200":
            self._fail(BenchError(f"session refused: {status.decode()}"))
            return
        assert self._http is not None
        self._stream = self._http.create_webtransport_stream(self._request)
        self._messages = SessionTransport(self, self._address, self._protocol)
        self._protocol.connection_made(self._messages)
        self.opened.set_result(None)

    def _terminated(self, event: ConnectionTerminated) -> None:
        error = BenchError(f"QUIC connection closed with code {event.error_code} {event.reason_phrase}")
        if self._messages is not None:
            self._messages.connection_lost(error)
        elif event.error_code == _NO_APPLICATION_PROTOCOL:
            self._fail(NotAvailable("the server agrees on no HTTP/3"))
        else:
            self._fail(error)

    def _fail(self, error: BenchError) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)


async def open_session(address: tuple[str, int], certificate: CertificatePair, protocol: asyncio.Protocol) -> None:
    """Connect `protocol` to the stream of a new session.

    Raises `BenchError`, or `NotAvailable` without HTTP/3.
    """
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=[_ALPN], server_name=HOST, max_datagram_frame_size=65536
    )
    configuration.load_verify_locations(cadata=certificate.certificate.encode())
    loop = asyncio.get_running_loop()
    quic = QuicConnection(configuration=configuration)
    endpoint: tuple[Any, _Session] = await loop.create_datagram_endpoint(
        lambda: _Session(quic, address, protocol), local_addr=("127.0.0.1", 0)
    )
    _, session = endpoint
    session.connect(address)
    try:
        await session.opened
    except BaseException:
        session.drop()
        raise
