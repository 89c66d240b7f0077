"""The transports of the conformance suite: one `TransportCase` for each transport and encoding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.certificates import issue
from tests.support.http2_stream_client import http2_stream_opened
from tests.support.server import free_port
from tests.support.stream_client import stream_opened
from tests.support.webtransport_client import session_opened
from tests.support.wire_client import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from tests.support.conversation import Conversation
    from tests.support.server import Server

    Open = Callable[..., AbstractAsyncContextManager[Conversation]]


@dataclass(frozen=True)
class TransportCase:
    """How to come in. A new transport is a subclass of `Conversation`, a function that opens one, a row in `CASES`."""

    name: str
    opens: Open
    """Called with the server, the base of its URLs, and the keywords `is_protobuf` and `answers_pings`."""
    is_protobuf: bool = False
    emulated: bool = False
    """Commands come by requests of their own."""
    framed: bool = True
    """Commands come in frames, and not one after another on a stream."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What the server needs for it."""

    def open(
        self, server: Server, *, url: str = "", answers_pings: bool = True
    ) -> AbstractAsyncContextManager[Conversation]:
        """A client that has not sent anything."""
        return self.opens(server, url or server.url, is_protobuf=self.is_protobuf, answers_pings=answers_pings)

    def payload(self, text: str) -> Any:
        """A payload as it stands in commands and in what comes back."""
        return f'"{text}"'.encode() if self.is_protobuf else text


def _websocket(server: Server, url: str, **how: Any) -> AbstractAsyncContextManager[Conversation]:
    return opened(server, url=url.replace("http", "ws", 1) + "/connection/websocket", **how)


def _http_stream(server: Server, url: str, **how: Any) -> AbstractAsyncContextManager[Conversation]:
    return stream_opened(server, "http_stream", url=url, **how)


def _sse(server: Server, url: str, **how: Any) -> AbstractAsyncContextManager[Conversation]:
    return stream_opened(server, "sse", url=url, **how)


def _webtransport(server: Server, url: str, **how: Any) -> AbstractAsyncContextManager[Conversation]:
    return session_opened(url, **how)


def _http_stream_h2c(server: Server, url: str, **how: Any) -> AbstractAsyncContextManager[Conversation]:
    return http2_stream_opened(url, "http_stream", **how)


def _http_stream_h2(server: Server, url: str, **how: Any) -> AbstractAsyncContextManager[Conversation]:
    return http2_stream_opened(url, "http_stream", trusted=_PAIR.certificate, **how)


def _sse_h2(server: Server, url: str, **how: Any) -> AbstractAsyncContextManager[Conversation]:
    return http2_stream_opened(url, "sse", trusted=_PAIR.certificate, **how)


_PAIR = issue()
_TLS: Mapping[str, Any] = {
    "http_server": {"tls": {"enabled": True, "cert_pem": _PAIR.certificate, "key_pem": _PAIR.key}}
}
_H2C: Mapping[str, Any] = {
    "http_server": {"h2c_external": True, "internal_port": str(free_port())},
    "http_api": {"external": True},
}
_HTTP3: Mapping[str, Any] = {
    "http_server": {
        "tls": {"enabled": True, "cert_pem": _PAIR.certificate, "key_pem": _PAIR.key},
        "http3": {"enabled": True},
    },
    "webtransport": {"enabled": True},
}

CASES = (
    TransportCase("websocket-json", _websocket),
    TransportCase("websocket-protobuf", _websocket, is_protobuf=True),
    TransportCase("http_stream-json", _http_stream, emulated=True),
    TransportCase("http_stream-protobuf", _http_stream, is_protobuf=True, emulated=True),
    TransportCase("sse", _sse, emulated=True),
    TransportCase("http_stream-h2c-json", _http_stream_h2c, emulated=True, config=_H2C),
    TransportCase("http_stream-h2-protobuf", _http_stream_h2, is_protobuf=True, emulated=True, config=_TLS),
    TransportCase("sse-h2", _sse_h2, emulated=True, config=_TLS),
    TransportCase("webtransport-json", _webtransport, framed=False, config=_HTTP3),
    TransportCase("webtransport-protobuf", _webtransport, is_protobuf=True, framed=False, config=_HTTP3),
)
FRAMED_CASES = tuple(case for case in CASES if case.framed)
