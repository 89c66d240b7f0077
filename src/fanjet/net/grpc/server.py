"""Routes gRPC requests to calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from .call import BidiStreamingCall, ServerStreamingCall, UnaryCall, response_headers
from .framing import DEFAULT_MAX_MESSAGE
from .head import CallHead, NotGrpc
from .status import GrpcError, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..http2.stream import Http2Stream, StreamReceiver
    from ..timing_wheel import TimingWheel
    from .call import BidiHandler, Call, StreamHandler, UnaryHandler

    CallFactory = Callable[[Http2Stream, CallHead, TimingWheel, int], Call]

_NO_TIME: Final = 10e-6
"""Timeouts below this many seconds have expired on arrival."""

_ENCODINGS: Final = (b"", b"identity", b"gzip")


def unary(handler: UnaryHandler) -> CallFactory:
    """A unary method."""
    return partial(UnaryCall, handler=handler)


def server_streaming(handler: StreamHandler) -> CallFactory:
    """A server streaming method."""
    return partial(ServerStreamingCall, handler=handler)


def bidi_streaming(handler: BidiHandler) -> CallFactory:
    """A bidirectional streaming method."""
    return partial(BidiStreamingCall, handler=handler)


@dataclass(frozen=True, slots=True)
class Service:
    """The methods of a service by name."""

    name: str
    methods: Mapping[str, CallFactory]
    authorize: Callable[[CallHead], None] | None = None
    """Raises `GrpcError` for unauthorised calls. Called before any message is read."""


class GrpcServer:
    """Creates the calls of one listener.

    Messages are limited to `max_message` bytes, compressed or not.
    """

    def __init__(self, services: Iterable[Service], wheel: TimingWheel, max_message: int = DEFAULT_MAX_MESSAGE) -> None:
        self._services = {service.name.encode(): service for service in services}
        self._methods = {
            f"/{service.name}/{name}".encode(): (service, begin)
            for service in self._services.values()
            for name, begin in service.methods.items()
        }
        self._wheel = wheel
        self._max_message = max_message

    def accept(self, stream: Http2Stream) -> StreamReceiver:
        """Start a call, or refuse it."""
        try:
            head = CallHead(stream.fields)
        except NotGrpc as refusal:
            return _RejectedCall(stream, refusal.error, refusal.http_status)
        try:
            begin = self._route(head)
        except GrpcError as error:
            return _RejectedCall(stream, error, subtype=head.subtype)
        return begin(stream, head, self._wheel, self._max_message)

    def _route(self, head: CallHead) -> CallFactory:
        """Find the method and authorise the call. Raises `GrpcError`."""
        if head.timeout is not None and head.timeout < _NO_TIME:
            raise GrpcError(StatusCode.DEADLINE_EXCEEDED, "context deadline exceeded")
        known = self._methods.get(head.path)
        if known is None:
            raise GrpcError(StatusCode.UNIMPLEMENTED, self._unimplemented_reason(head.path))
        if head.encoding not in _ENCODINGS:
            encoding = head.encoding.decode("latin-1")
            reason = f'grpc: Decompressor is not installed for grpc-encoding "{encoding}"'
            raise GrpcError(StatusCode.UNIMPLEMENTED, reason)
        service, begin = known
        if service.authorize is not None:
            service.authorize(head)
        return begin

    def _unimplemented_reason(self, path: bytes) -> str:
        service, slash, method = path[1:].rpartition(b"/")
        if not path.startswith(b"/") or not slash:
            return f'malformed method name: "{path.decode("latin-1")}"'
        if service not in self._services:
            return f"unknown service {service.decode('utf-8', 'replace')}"
        return f"unknown method {method.decode('utf-8', 'replace')} for service {service.decode()}"


class _RejectedCall:
    """A refused request: answered at once, its body is ignored."""

    __slots__ = ()

    def __init__(self, stream: Http2Stream, error: GrpcError, http_status: int = 200, subtype: bytes = b"") -> None:
        stream.send_headers([*response_headers(subtype, http_status), *error.trailers()], end=True)

    def on_data(self, data: bytes) -> None:
        """Ignored."""

    def on_end(self) -> None:
        """Ignored."""

    def on_reset(self) -> None:
        """Ignored."""

    def on_blocked(self) -> None:
        """Ignored."""

    def on_writable(self) -> None:
        """Ignored."""
