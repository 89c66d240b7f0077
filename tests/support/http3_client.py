"""A client for HTTP/3 and WebTransport on aioquic, so that tests see every event of a stream."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import FrameType, H3Connection, Setting
from aioquic.h3.events import DataReceived, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, StopSendingReceived, StreamReset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aioquic.quic.events import QuicEvent

PATIENCE = 10.0
CLOSE_SESSION = b"\x68\x43"

Headers = list[tuple[bytes, bytes]]


@dataclass
class Received:
    """What has come on one stream."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None
    stopped: int | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        return self.ended or self.reset is not None


@dataclass
class Response:
    """A whole response."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Http3Client(QuicConnectionProtocol):
    """One connection. Streams are known by their ids."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.http: H3Connection | None = None
        self.streams: dict[int, Received] = defaultdict(Received)
        self.closed: ConnectionTerminated | None = None
        self._news = asyncio.Event()

    @property
    def framing(self) -> H3Connection:
        """HTTP/3 on this connection."""
        assert self.http is not None
        return self.http

    @property
    def server_settings(self) -> dict[int, int]:
        """What the server has announced, once anything has come from it."""
        return self.framing.received_settings or {}

    def quic_event_received(self, event: QuicEvent) -> None:
        """Note what happened."""
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic, enable_webtransport=True)
        elif isinstance(event, ConnectionTerminated):
            self.closed = event
        elif isinstance(event, StreamReset):
            self.streams[event.stream_id].reset = event.error_code
        elif isinstance(event, StopSendingReceived):
            self.streams[event.stream_id].stopped = event.error_code
        if self.http is not None:
            for happened in self.http.handle_event(event):
                if isinstance(happened, (DataReceived, HeadersReceived, WebTransportStreamDataReceived)):
                    self._note(happened)
        self._news.set()

    def _note(self, event: DataReceived | HeadersReceived | WebTransportStreamDataReceived) -> None:
        stream = self.streams[event.stream_id]
        if isinstance(event, HeadersReceived):
            stream.headers.update(event.headers)
        else:
            stream.data += event.data
        stream.ended = stream.ended or event.stream_ended

    async def until(self, condition: Any) -> None:
        """Wait until `condition()` holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until_news(self) -> None:
        """Wait until anything comes, for as long as it takes."""
        self._news.clear()
        await self._news.wait()

    # Requests.

    def begin(self, method: str, path: str, headers: Headers | None = None, *, end: bool = True) -> int:
        """Send the head of a request."""
        stream_id = self._quic.get_next_available_stream_id()
        start: Headers = [
            (b":method", method.encode()),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", path.encode()),
        ]
        self.framing.send_headers(stream_id, start + (headers or []), end_stream=end)
        self.transmit()
        return stream_id

    def send(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """Send a piece of a request's body."""
        self.framing.send_data(stream_id, data, end)
        self.transmit()

    def send_raw(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """Send bytes as they are."""
        self._quic.send_stream_data(stream_id, data, end)
        self.transmit()

    def new_stream(self) -> int:
        """The next bidirectional stream."""
        return self._quic.get_next_available_stream_id()

    def cancel(self, stream_id: int) -> None:
        """Give up a request, as browsers do."""
        self._quic.reset_stream(stream_id, 0x10C)
        self._quic.stop_stream(stream_id, 0x10C)
        self.transmit()

    async def response(self, stream_id: int) -> Response:
        """Wait for the end of a response."""
        stream = self.streams[stream_id]
        await self.until(lambda: stream.over or self.closed)
        assert stream.ended, f"reset {stream.reset}, closed {self.closed}"
        return Response(int(stream.headers[b":status"]), stream.headers, bytes(stream.data))

    async def request(self, method: str, path: str, headers: Headers | None = None, body: bytes = b"") -> Response:
        """Send a request and wait for its response."""
        stream_id = self.begin(method, path, headers, end=not body)
        if body:
            self.send(stream_id, body, end=True)
        return await self.response(stream_id)

    # Sessions.

    async def session(
        self, path: str = "/connection/webtransport", headers: Headers | None = None, protocol: bytes = b"webtransport"
    ) -> Session:
        """Ask for a WebTransport session; it has to be given."""
        session = Session(self, self.begin("CONNECT", path, [(b":protocol", protocol), *(headers or [])], end=False))
        await self.until(lambda: session.request.headers or session.request.over or self.closed)
        assert session.request.headers[b":status"] == b"200", (session.request, self.closed)
        return session


class Session:
    """A WebTransport session whose messages go over one stream."""

    def __init__(self, client: Http3Client, session_id: int) -> None:
        self.client = client
        self.id = session_id
        self.stream_id = -1
        self._taken = 0

    @property
    def request(self) -> Received:
        """The stream that asked for the session."""
        return self.client.streams[self.id]

    @property
    def stream(self) -> Received:
        """The stream of the messages."""
        return self.client.streams[self.stream_id]

    def open(self) -> int:
        """Open the stream. Returns its id."""
        framing = self.client.framing
        self.stream_id = framing.create_webtransport_stream(self.id)
        with framing._get_or_create_stream(self.stream_id) as stream:  # what comes back has no such beginning
            stream.frame_type = FrameType.WEBTRANSPORT_STREAM
            stream.session_id = self.id
        self.client.transmit()
        return self.stream_id

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Send bytes on the stream, which is opened with the first."""
        if self.stream_id < 0:
            self.open()
        self.client.send_raw(self.stream_id, data, end=end)

    async def received(self) -> None:
        """Wait until the server has got all that was sent on the stream."""
        sender = self.client._quic._streams[self.stream_id].sender
        while sender._buffer_start < sender._buffer_stop or (sender._buffer_fin is not None and not sender.is_finished):
            await self.client.ping()

    async def line(self) -> bytes:
        """The next line, without its end."""
        await self.client.until(lambda: b"\n" in self.stream.data[self._taken :] or self.stream.over)
        end = self.stream.data.find(b"\n", self._taken)
        assert end >= 0, f"{self.stream}"
        line = bytes(self.stream.data[self._taken : end])
        self._taken = end + 1
        return line

    async def exactly(self, size: int) -> bytes:
        """The next `size` bytes."""
        await self.client.until(lambda: len(self.stream.data) >= self._taken + size or self.stream.over)
        taken = bytes(self.stream.data[self._taken : self._taken + size])
        self._taken += size
        return taken

    async def rest(self) -> bytes:
        """What comes until the server ends the stream."""
        await self.client.until(lambda: self.stream.over)
        assert self.stream.ended, self.stream
        return bytes(self.stream.data[self._taken :])

    async def end(self) -> tuple[int, str] | None:
        """Wait for the end of the session: code and reason, None without."""
        await self.client.until(lambda: self.request.over)
        capsule = bytes(self.request.data)
        if not capsule:
            return None
        assert capsule.startswith(CLOSE_SESSION), capsule
        size = capsule[2] & 0x3F if capsule[2] < 0x40 else int.from_bytes(capsule[2:4], "big") & 0x3FFF
        value = capsule[-size:]
        return int.from_bytes(value[:4], "big"), value[4:].decode()

    def close(self, code: int = 0, reason: bytes = b"") -> None:
        """End the session."""
        value = code.to_bytes(4, "big") + reason
        self.client.send(self.id, CLOSE_SESSION + encode_uint_var(len(value)) + value, end=True)


@asynccontextmanager
async def connected(port: int, **settings: Any) -> AsyncIterator[Http3Client]:
    """A connection to 127.0.0.1 whose handshake is done."""
    how: dict[str, Any] = {"alpn_protocols": ["h3"], "max_datagram_frame_size": 65536, "verify_mode": ssl.CERT_NONE}
    configuration = QuicConfiguration(is_client=True, **(how | settings))
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Http3Client) as client:
        assert isinstance(client, Http3Client)
        yield client


__all__ = ["FrameType", "Http3Client", "Response", "Session", "Setting", "connected"]
