"""The unidirectional gRPC stream.

One connect request in, one gRPC message per push out (02 §9.6).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from msgspec import Raw

from fanjet.client.request_info import NO_REQUEST_INFO, RequestInfo
from fanjet.client.unidirectional import UnidirectionalSession
from fanjet.net.grpc.framing import frame, gzip_frame
from fanjet.net.grpc.parsing import STREAM_FAILURE, parse
from fanjet.net.grpc.server import Service, server_streaming
from fanjet.net.http1.stream import unframed
from fanjet.protocol.codes import DISCONNECT_SHUTDOWN
from fanjet.protocol.messages import ConnectRequest, SubscribeRequest
from fanjet.protocol.protobuf_encoding.codec import UNIDIRECTIONAL_PROTOBUF

from .proto import unistream_pb2
from .response_stream import ResponseStreamTransport, wire_format

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.net.grpc.call import StreamingCall
    from fanjet.net.grpc.head import CallHead

SERVICE: Final = unistream_pb2.DESCRIPTOR.services_by_name["CentrifugoUniStream"].full_name
PING_SECONDS: Final = 25.0
"""The ping interval, regardless of `client.ping_interval` (Q2)."""


class UniGrpcTransport(ResponseStreamTransport):
    """One call. Writes have no timeout: gRPC keepalive detects dead clients."""

    __slots__ = ()

    name = "uni_grpc"
    emulated = False
    write_timeout = inf

    def __init__(self, call: StreamingCall) -> None:
        framing = gzip_frame if call.compressed else frame
        super().__init__(wire_format(self.name, UNIDIRECTIONAL_PROTOBUF, framing, unframed))
        call.open()
        self._stream = call
        self.write = call.write


class UniGrpc:
    """The service `CentrifugoUniStream`."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context

    def service(self) -> Service:
        """Return the service with its only method."""
        return Service(SERVICE, {"Consume": server_streaming(self._consume)})

    def _consume(self, call: StreamingCall, message: bytes) -> UniGrpcTransport:
        """Start a session. Raises `GrpcError` for an invalid connect request."""
        request = _connect_request(message)
        transport = UniGrpcTransport(call)
        session = UnidirectionalSession(self._context, transport, self._opening(call.head), ping_interval=PING_SECONDS)
        transport.attach(session)
        if self._context.node.shutting_down:
            session.disconnect(DISCONNECT_SHUTDOWN)
        else:
            session.connect(request)
        return transport

    def _opening(self, head: CallHead) -> RequestInfo:
        kept = {
            key: [value.decode("utf-8", "surrogateescape") for value in head.metadata[key.encode()]]
            for key in self._context.events.kept_headers.metadata
            if key.encode() in head.metadata
        }
        return RequestInfo(metadata=kept) if kept else NO_REQUEST_INFO


def _connect_request(message: bytes) -> ConnectRequest:
    """Parse the connect request. Raises `GrpcError`."""
    request = parse(unistream_pb2.ConnectRequest, message, STREAM_FAILURE)
    return ConnectRequest(
        token=request.token,
        data=Raw(request.data),
        name=request.name,
        version=request.version,
        headers=dict(request.headers),
        subs={
            channel: SubscribeRequest(recover=position.recover, epoch=position.epoch, offset=position.offset)
            for channel, position in request.subs.items()
        },
    )
