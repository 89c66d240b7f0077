"""What can carry a client's connection."""

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
    """Cuts what comes into frames."""

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield opcode (as of WebSocket) and payload of every frame that `data` completes."""


class Sink(Protocol):
    """Where pongs are written: the connection itself, or one beside it."""

    def write(self, data: bytes, /) -> None:
        """Send."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """How a connection is opened, and how what comes on it is read."""

    name: str
    request: Callable[[str, int, Sequence[Command]], bytes]
    """Host, port and the first commands; returns what is sent first."""
    status: bytes | None
    """What the answer's status line has to hold; None for answers that have no such head."""
    follow_up: Callable[[Sequence[Command]], bytes]
    """The first commands; returns what is sent once the answer's head has come."""
    reader: Callable[[], MessageReader]
    pong: bytes = b""
    """What answers a ping of the protocol, where clients do that on the connection itself."""
    native_pong: Callable[[bytes], bytes] = lambda payload: payload
    """What answers a ping frame with this payload."""
    port: Callable[[int], int] = lambda port: port
    """The server's port; returns where this carrier is served."""
    quic: bool = False
    """It is a WebTransport session."""
    emulated: bool = False
    """Pongs go by requests of their own."""
    unidirectional: bool = False
    """There are no commands but those that open it, one answer to all of them, and no pongs."""


def _nothing(_: Sequence[Command]) -> bytes:
    return b""


def _pong_frame(payload: bytes) -> bytes:
    return masked_frame(OP_PONG, payload)


WEBSOCKET: Final = Carrier(
    "websocket",
    request=lambda host, port, _: handshake(host, port),
    status=b" 101 ",
    follow_up=lambda hello: commands_frame(*hello),
    reader=FrameReader,
    pong=PONG_FRAME,
    native_pong=_pong_frame,
)
HTTP_STREAM: Final = Carrier("http_stream", http_stream_request, b" 200 ", _nothing, BodyReader, emulated=True)
SSE: Final = Carrier("sse", sse_request, b" 200 ", _nothing, BodyReader, emulated=True)
UNI_WEBSOCKET: Final = Carrier(
    "uni_websocket",
    request=lambda host, port, _: handshake(host, port, "/connection/uni_websocket"),
    status=b" 101 ",
    follow_up=connect_frame,
    reader=FrameReader,
    native_pong=_pong_frame,
    unidirectional=True,
)
"""Its ping frames, which come after 25 s and want an answer, are nothing for runs as long as that."""
UNI_HTTP_STREAM: Final = Carrier(
    "uni_http_stream", uni_http_stream_request, b" 200 ", _nothing, BodyReader, unidirectional=True
)
UNI_SSE: Final = Carrier("uni_sse", uni_sse_request, b" 200 ", _nothing, BodyReader, unidirectional=True)
UNI_GRPC: Final = Carrier(
    "uni_grpc", uni_grpc_request, None, _nothing, UniGrpcReader, port=uni_grpc_port, unidirectional=True
)
"""As above: a server that has heard nothing for 25 s sends a ping of HTTP/2."""
WEBTRANSPORT: Final = Carrier(
    "webtransport",
    request=lambda _host, _port, hello: command_lines(hello) + b"\n",
    status=None,
    follow_up=_nothing,
    reader=LineReader,
    pong=b"{}\n",
    quic=True,
)
