"""The client transports: how each opens a connection and reads messages."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ..settings import uni_grpc_port
from .http_streams import BodyReader, LineReader, command_lines, http_stream_request, sse_request
from .uni_grpc import UniGrpcReader, uni_grpc_request
from .unidirectional import connect_frame, uni_http_stream_request, uni_sse_request
from .websocket import OP_PONG, PONG_FRAME, FrameReader, commands_frame, handshake, masked_frame

Command = dict[str, Any]


class MessageReader(Protocol):
    """Splits received data into frames."""

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the WebSocket opcode and the payload of every frame that `data` completes."""


class PongSink(Protocol):
    """Receives pongs: the connection itself, or the emulation connection."""

    def write(self, data: bytes, /) -> None:
        """Send."""


@dataclass(frozen=True, slots=True)
class TransportSpec:
    """Specifies how to open a connection and how to read its messages."""

    name: str
    request: Callable[[str, int, Sequence[Command]], bytes]
    """Takes host, port and the first commands; returns the first bytes to send."""
    status: bytes | None
    """The status expected in the response's status line; None for responses without one."""
    follow_up: Callable[[Sequence[Command]], bytes]
    """Takes the first commands; returns the bytes to send after the response's head."""
    reader: Callable[[], MessageReader]
    pong: bytes = b""
    """The reply to a protocol ping, if it is sent on the connection itself."""
    native_pong: Callable[[bytes], bytes] = lambda payload: payload
    """Returns the reply to a ping frame with this payload."""
    port: Callable[[int], int] = lambda port: port
    """Takes the server's port; returns the port of this transport."""
    quic: bool = False
    """A WebTransport session over QUIC."""
    emulated: bool = False
    """Pongs are sent in separate requests."""
    unidirectional: bool = False
    """No commands after the first ones, one reply to all of these, and no pongs."""


def _nothing(_: Sequence[Command]) -> bytes:
    return b""


def _pong_frame(payload: bytes) -> bytes:
    return masked_frame(OP_PONG, payload)


WEBSOCKET: Final = TransportSpec(
    "websocket",
    request=lambda host, port, _: handshake(host, port),
    status=b" 101 ",
    follow_up=lambda hello: commands_frame(*hello),
    reader=FrameReader,
    pong=PONG_FRAME,
    native_pong=_pong_frame,
)
HTTP_STREAM: Final = TransportSpec("http_stream", http_stream_request, b" 200 ", _nothing, BodyReader, emulated=True)
SSE: Final = TransportSpec("sse", sse_request, b" 200 ", _nothing, BodyReader, emulated=True)
UNI_WEBSOCKET: Final = TransportSpec(
    "uni_websocket",
    request=lambda host, port, _: handshake(host, port, "/connection/uni_websocket"),
    status=b" 101 ",
    follow_up=connect_frame,
    reader=FrameReader,
    native_pong=_pong_frame,
    unidirectional=True,
)
"""Its ping frames come after 25 s and expect a reply, so runs must be shorter."""
UNI_HTTP_STREAM: Final = TransportSpec(
    "uni_http_stream", uni_http_stream_request, b" 200 ", _nothing, BodyReader, unidirectional=True
)
UNI_SSE: Final = TransportSpec("uni_sse", uni_sse_request, b" 200 ", _nothing, BodyReader, unidirectional=True)
UNI_GRPC: Final = TransportSpec(
    "uni_grpc", uni_grpc_request, None, _nothing, UniGrpcReader, port=uni_grpc_port, unidirectional=True
)
"""As above: the server sends an HTTP/2 ping after 25 s without data."""
WEBTRANSPORT: Final = TransportSpec(
    "webtransport",
    request=lambda _host, _port, hello: command_lines(hello) + b"\n",
    status=None,
    follow_up=_nothing,
    reader=LineReader,
    pong=b"{}\n",
    quic=True,
)
