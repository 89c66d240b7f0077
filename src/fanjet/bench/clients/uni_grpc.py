"""The client side of the unidirectional gRPC stream, with one connection per call."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import hpack
import msgspec

from . import http2
from .grpc import MessageReader, StatusReader, call, call_fields
from .protobuf import field, fields, messages
from .websocket import OP_CLOSE, OP_PING, OP_TEXT

CONSUME: Final = "/centrifugal.centrifugo.unistream.CentrifugoUniStream/Consume"

# Fields of ConnectRequest, of Push, of Connect and Disconnect in it, and of an entry of a map.
_TOKEN, _SUBSCRIPTIONS = 1, 3
_CONNECT, _DISCONNECT = 10, 11
_SUBS = 4
_CODE, _REASON = 1, 2
_KEY, _VALUE = 1, 2


def uni_grpc_request(host: str, port: int, hello: Sequence[dict[str, Any]]) -> bytes:
    """Return the bytes that open the connection and the call.

    The call streams the reply to `hello` and all pushes.
    """
    block = hpack.Encoder().encode(call_fields(f"{host}:{port}", CONSUME))
    return http2.CLIENT_PREFACE + call(1, block, _connect_request(hello))


def _connect_request(hello: Sequence[dict[str, Any]]) -> bytes:
    """Return a ConnectRequest made of a connect command and subscribe commands."""
    connect, *subscribes = hello
    channels = [command["subscribe"]["channel"].encode() for command in subscribes]
    subscriptions = (field(_SUBSCRIPTIONS, field(_KEY, channel) + field(_VALUE, b"")) for channel in channels)
    return field(_TOKEN, connect["connect"]["token"].encode()) + b"".join(subscriptions)


class UniGrpcReader:
    """Reads the connect and disconnect pushes and yields them as JSON.

    This is the form of the other transports.

    Frames that HTTP/2 must acknowledge are yielded as a ping whose payload is the acknowledgement.
    """

    __slots__ = ("_http2", "_messages", "_statuses")

    def __init__(self) -> None:
        self._http2 = http2.Http2Reader()
        self._messages = MessageReader()
        self._statuses = StatusReader()

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every message that `data` completes.

        A message is yielded as WebSocket opcode and payload.
        """
        for frame in self._http2.frames(data):
            if reply := http2.ack_for(frame):
                yield OP_PING, reply
            elif frame.kind == http2.DATA:
                for push in self._messages.messages(frame.payload):
                    yield from _as_json(push)
            elif frame.kind == http2.HEADERS:
                yield from self._end(frame)
            elif frame.kind in (http2.RST_STREAM, http2.GOAWAY):
                yield OP_CLOSE, http2.error_code(frame)

    def _end(self, frame: http2.Http2Frame) -> Iterator[tuple[int, bytes]]:
        if failure := self._statuses.failure(frame.payload):
            yield OP_TEXT, _disconnect(*failure)
        if frame.flags & http2.END_STREAM:
            yield OP_CLOSE, b""


def _as_json(push: bytes) -> Iterator[tuple[int, bytes]]:
    for connect in messages(push, _CONNECT):
        subs: dict[str, object] = {
            key.decode(): {} for entry in messages(connect, _SUBS) for key in messages(entry, _KEY)
        }
        yield OP_TEXT, msgspec.json.encode({"connect": {"subs": subs}})
    for disconnect in messages(push, _DISCONNECT):
        fields_found = dict(fields(disconnect))
        yield OP_TEXT, _disconnect(fields_found.get(_CODE), fields_found.get(_REASON))


def _disconnect(code: object, reason: object) -> bytes:
    text = reason.decode() if isinstance(reason, bytes) else reason
    return msgspec.json.encode({"disconnect": {"code": code, "reason": text}})
