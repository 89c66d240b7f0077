"""The client's side of the unidirectional gRPC stream: a connection of its own for each call."""

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
_TOKEN, _WISHES = 1, 3
_CONNECT, _DISCONNECT = 10, 11
_SUBS = 4
_CODE, _REASON = 1, 2
_KEY, _VALUE = 1, 2


def uni_grpc_request(host: str, port: int, hello: Sequence[dict[str, Any]]) -> bytes:
    """Return what opens the connection and the call; its stream brings the answer to `hello`, and all that follows."""
    block = hpack.Encoder().encode(call_fields(f"{host}:{port}", CONSUME))
    return http2.OPENING + call(1, block, _connect_request(hello))


def _connect_request(hello: Sequence[dict[str, Any]]) -> bytes:
    """Return what a connect command and subscribe commands come to: the channels become wishes."""
    connect, *subscribes = hello
    channels = [command["subscribe"]["channel"].encode() for command in subscribes]
    wishes = (field(_WISHES, field(_KEY, channel) + field(_VALUE, b"")) for channel in channels)
    return field(_TOKEN, connect["connect"]["token"].encode()) + b"".join(wishes)


class UniGrpcReader:
    """Cuts what comes into those pushes that open or end a connection, in JSON as the other transports have them.

    What HTTP/2 wants answered it yields as a ping whose payload is the answer.
    """

    __slots__ = ("_http2", "_messages", "_statuses")

    def __init__(self) -> None:
        self._http2 = http2.Http2Reader()
        self._messages = MessageReader()
        self._statuses = StatusReader()

    def frames(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield opcode (as of WebSocket) and payload of what `data` completes."""
        for frame in self._http2.frames(data):
            if answer := http2.acknowledgement(frame):
                yield OP_PING, answer
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
        said = dict(fields(disconnect))
        yield OP_TEXT, _disconnect(said.get(_CODE), said.get(_REASON))


def _disconnect(code: object, reason: object) -> bytes:
    text = reason.decode() if isinstance(reason, bytes) else reason
    return msgspec.json.encode({"disconnect": {"code": code, "reason": text}})
