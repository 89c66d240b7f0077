"""Selects the HTTP version of a connection by ALPN or by its first bytes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from .http1.connection import HEADER_SECONDS
from .http1.server import HttpServer
from .timing_wheel import NOT_SCHEDULED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .http2.server import Http2Server
    from .router import Routes
    from .timing_wheel import TimingWheel

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class MultiVersionServer:
    """The HTTP server of one listener.

    HTTP/1.1, and HTTP/2 if negotiated by ALPN or started with the HTTP/2 preface.
    """

    __slots__ = ("http1", "http2", "new_connection", "wheel")

    new_connection: Callable[[], asyncio.Protocol]
    """The protocol factory for the event loop."""

    def __init__(
        self,
        routes: Routes,
        wheel: TimingWheel,
        *,
        tls: bool = False,
        h2c: bool = False,
        websocket_http2: bool = False,
        common_headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """`h2c`: accept HTTP/2 without TLS.

        `websocket_http2`: offer RFC 8441. `common_headers` are added to every response.
        """
        self.wheel = wheel
        self.http1 = HttpServer(routes, wheel, tls=tls, common_headers=common_headers)
        self.http2: Http2Server | None = None
        if not (tls or h2c):
            self.new_connection = self.http1.new_connection
            return
        # Importing takes 20 ms, which servers without HTTP/2 save.
        from .http2.request import Http2Requests  # noqa: PLC0415
        from .http2.server import Http2Server  # noqa: PLC0415

        requests = Http2Requests(routes, wheel, tls=tls, common_headers=common_headers)
        self.http2 = http2 = Http2Server(requests, wheel, extended_connect=websocket_http2)
        self.new_connection = (
            (lambda: AlpnDetection(self.http1, http2)) if tls else (lambda: PrefaceDetection(self.http1, http2))
        )

    async def stop(self) -> None:
        """Close idle connections and wait for the others.

        Those close after their pending responses.
        """
        await asyncio.gather(self.http1.stop(), *([self.http2.stop()] if self.http2 is not None else []))


class AlpnDetection(asyncio.Protocol):
    """Decides when the TLS handshake is done."""

    __slots__ = ("_http1", "_http2")

    def __init__(self, http1: HttpServer, http2: Http2Server) -> None:
        self._http1 = http1
        self._http2 = http2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the connection to the protocol that was agreed on."""
        agreed = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        server: HttpServer | Http2Server = self._http2 if agreed == "h2" else self._http1
        protocol = server.new_connection()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


class PrefaceDetection(asyncio.Protocol):
    """Detects the HTTP/2 preface in the first received bytes."""

    __slots__ = ("_http1", "_http2", "_received", "_transport", "wheel_slot")

    def __init__(self, http1: HttpServer, http2: Http2Server) -> None:
        self._http1 = http1
        self._http2 = http2
        self._received = b""
        self.wheel_slot = NOT_SCHEDULED

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes, as long as for the head of a request."""
        self._transport = cast("asyncio.Transport", transport)
        wheel = self._http1.wheel
        wheel.schedule(self, wheel.clock() + HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Give the connection away as soon as it is clear to whom."""
        received = self._received = self._received + data
        if len(received) < len(PREFACE) and PREFACE.startswith(received):
            return
        self._http1.wheel.cancel(self)
        server: HttpServer | Http2Server = self._http2 if received.startswith(PREFACE) else self._http1
        protocol = server.new_connection()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(received)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._http1.wheel.cancel(self)

    def on_timer(self, now: float) -> None:
        """Too few bytes to decide were received in time."""
        self._transport.abort()
