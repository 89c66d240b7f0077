"""A connection to the server's gRPC API (contract chapter 05)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, cast

import hpack

from ..errors import BenchError
from ..settings import grpc_api_port
from . import http2
from .client import Address
from .grpc import MessageReader, StatusReader, call, call_fields
from .http_api import ApiSpec
from .protobuf import field, messages

_SERVICE: Final = "/centrifugal.centrifugo.api.CentrifugoApi"
PUBLISH: Final = f"{_SERVICE}/Publish".encode()
BATCH: Final = f"{_SERVICE}/Batch".encode()

# Fields of PublishRequest, BatchRequest and Command; of PublishResponse, BatchResponse and Reply.
_CHANNEL, _DATA = 1, 2
_COMMANDS, _PUBLISH = 1, 4
_ERROR, _REPLIES, _REPLY_ERROR = 1, 1, 2


class GrpcApiConnection(asyncio.Protocol):
    """Makes one call at a time."""

    __slots__ = (
        "_block",
        "_encoder",
        "_host",
        "_http2",
        "_key",
        "_messages",
        "_method",
        "_on_answer",
        "_on_failure",
        "_reply",
        "_statuses",
        "_stream",
        "_transport",
    )

    _transport: asyncio.Transport

    def __init__(self, host: str, key: str) -> None:
        self._host = host
        self._key = key
        self._encoder = hpack.Encoder()
        self._http2 = http2.Http2Reader()
        self._messages = MessageReader()
        self._statuses = StatusReader()
        self._stream = -1
        self._method = self._block = b""
        self._reply = b""
        self._on_answer: Callable[[bytes], None] = _ignore
        self._on_failure: Callable[[BenchError], None] = _ignore

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open HTTP/2."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(http2.CLIENT_PREFACE)

    def request(
        self,
        method: bytes,
        message: bytes,
        on_answer: Callable[[bytes], None],
        on_failure: Callable[[BenchError], None],
    ) -> None:
        """Make a call; one of the callbacks is called with the reply or the error."""
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._stream += 2
        self._transport.write(call(self._stream, self._header_block(method), message))

    def _header_block(self, method: bytes) -> bytes:
        """Return the header block of a call.

        The first one fills the HPACK table, later ones refer to it.
        """
        if method == self._method:
            return self._block
        self._method = method
        fields = call_fields(self._host, method.decode(), authorization=f"apikey {self._key}")
        first = self._encoder.encode(fields)
        self._block = self._encoder.encode(fields)
        return first

    def data_received(self, data: bytes) -> None:
        """Read the frames of the call and acknowledge SETTINGS and PING."""
        for frame in self._http2.frames(data):
            if reply := http2.ack_for(frame):
                self._transport.write(reply)
            elif frame.kind == http2.DATA:
                for message in self._messages.messages(frame.payload):
                    self._reply = message
            elif frame.kind == http2.HEADERS:
                self._on_headers(frame)
            elif frame.kind in (http2.RST_STREAM, http2.GOAWAY):
                code = int.from_bytes(http2.error_code(frame), "big")
                self._on_failure(BenchError(f"the gRPC API ended a call with code {code} of HTTP/2"))

    def _on_headers(self, frame: http2.Http2Frame) -> None:
        """Pass on the reply at the end of the call."""
        failure = self._statuses.failure(frame.payload)
        if failure is not None:
            self._on_failure(BenchError("the gRPC API answered status {} {!r}".format(*failure)))
        elif frame.flags & http2.END_STREAM:
            reply, self._reply = self._reply, b""
            if errors := _errors(self._method, reply):
                self._on_failure(BenchError(f"the gRPC API answered {errors[0]!r}"))
            else:
                self._on_answer(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the outstanding call."""
        self._on_failure(BenchError(f"gRPC API connection closed by the server ({exc or 'end of stream'})"))

    def close(self) -> None:
        """Close the connection."""
        self._on_failure = _ignore
        self._transport.close()


def _ignore(_: object) -> None:
    """Ignore the reply."""


def _errors(method: bytes, reply: bytes) -> list[bytes]:
    """Return the errors in the reply to a call."""
    if method == PUBLISH:
        return messages(reply, _ERROR)
    return [error for one in messages(reply, _REPLIES) for error in messages(one, _REPLY_ERROR)]


async def open_grpc_api(address: Address, key: str) -> GrpcApiConnection:
    """Connect to the gRPC API of the server at `address`.

    Raises `BenchError` if the connection fails.
    """
    host, port = address[0], grpc_api_port(address[1])
    try:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: GrpcApiConnection(f"{host}:{port}", key), host, port
        )
    except OSError as error:
        raise BenchError(f"cannot connect to the gRPC API at {host}:{port}: {error}") from error
    return connection


def publish_request(channel: str, payload: bytes) -> bytes:
    """Return the message of a publish."""
    return field(_CHANNEL, channel.encode()) + field(_DATA, payload)


def batch_request(publishes: Sequence[bytes]) -> bytes:
    """Return the message of a batch of publishes, given their own messages."""
    return b"".join(field(_COMMANDS, field(_PUBLISH, publish)) for publish in publishes)


GRPC_API: Final = ApiSpec(open_grpc_api, PUBLISH, BATCH, publish_request, batch_request)
