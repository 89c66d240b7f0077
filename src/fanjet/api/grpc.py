"""Server API over gRPC (05 §3), with the same methods as over HTTP."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from google.protobuf.message_factory import GetMessageClass

from fanjet.net.grpc.parsing import parse
from fanjet.net.grpc.server import Service, unary
from fanjet.net.grpc.status import GrpcError, StatusCode
from fanjet.protocol.protobuf_encoding.structs import struct_reader

from .batch import run_batch
from .calls import Calls
from .methods import METHODS
from .proto.api_pb2 import DESCRIPTOR, BatchRequest, BatchResponse, Error
from .protobuf import fill
from .requests import BatchRequest as BatchCommands
from .survey_timeout import GRPC_SECONDS, survey_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import MethodDescriptor

    from fanjet.net.grpc.call import UnaryHandler
    from fanjet.net.grpc.head import CallHead

    from .calls import Traces
    from .errors import ApiError
    from .methods import Method
    from .metrics import ApiMetrics
    from .node import Node

SERVICE: Final = DESCRIPTOR.services_by_name["CentrifugoApi"]

_METHODS: Final = {name.replace("_", ""): method for name, method in METHODS.items()}
"""Methods by gRPC name in lower case."""

_STATUS_BY_HTTP: Final = {
    400: StatusCode.INVALID_ARGUMENT,
    404: StatusCode.NOT_FOUND,
    409: StatusCode.ALREADY_EXISTS,
    416: StatusCode.OUT_OF_RANGE,
}
"""gRPC status codes of transport error mode, by HTTP status (05 §4)."""


class GrpcApi:
    """The gRPC service of the server API.

    `key` empty: every call is admitted; `transport_errors`: errors are statuses, not replies.
    """

    def __init__(
        self,
        node: Node,
        *,
        key: str,
        transport_errors: bool = False,
        metrics: ApiMetrics | None = None,
        traces: Traces | None = None,
    ) -> None:
        self._calls = Calls(node, metrics, "grpc", traces)
        self._traces = traces
        self._transport_errors = transport_errors
        self.authorize: Callable[[CallHead], None] | None = KeyCheck(key) if key else None
        """Raises `GrpcError` for calls without the key."""

    def service(self) -> Service:
        """Return the service with its handlers."""
        methods = {method.name: unary(self._traced(method.name, self._handler(method))) for method in SERVICE.methods}
        return Service(SERVICE.full_name, methods, self.authorize)

    def _traced(self, name: str, handler: UnaryHandler) -> UnaryHandler:
        """Wrap a handler in spans if tracing is enabled."""
        traces = self._traces
        if traces is None:
            return handler
        attributes = {"rpc.system": "grpc", "rpc.service": SERVICE.full_name, "rpc.method": name}

        async def handle(message: bytes, head: CallHead) -> bytes:
            carrier = {
                key: (head.first(key.encode()) or b"").decode("latin-1") for key in ("traceparent", "tracestate")
            }
            with traces.span(f"{SERVICE.full_name}/{name}", carrier, attributes):
                return await handler(message, head)

        return handle

    def _handler(self, descriptor: MethodDescriptor) -> UnaryHandler:
        if descriptor.name == "Batch":
            return self._batch()
        method = _METHODS.get(descriptor.name.lower())
        return _unimplemented(descriptor.name) if method is None else self._method(method, descriptor)

    def _method(self, method: Method, descriptor: MethodDescriptor) -> UnaryHandler:
        calls, run, name = self._calls, self._calls.run, method.name
        request_class: Any = GetMessageClass(descriptor.input_type)
        response_class: Any = GetMessageClass(descriptor.output_type)
        read = struct_reader(request_class, method.request_type)

        async def handle(message: bytes, head: CallHead) -> bytes:
            _set_survey_timeout(head)
            request = read(parse(request_class, message))
            response = response_class()
            try:
                fill(response.result, await run(method, request))
            except Exception as failure:
                error = calls.as_error(failure, name)
                if self._uses_status_errors(head):
                    raise _as_status(error) from None
                response.error.CopyFrom(_error(error))
            return cast("bytes", response.SerializeToString())

        return handle

    def _batch(self) -> UnaryHandler:
        calls = self._calls
        read = struct_reader(BatchRequest, BatchCommands)

        async def handle(message: bytes, head: CallHead) -> bytes:
            _set_survey_timeout(head)
            response = BatchResponse()
            for reply in await run_batch(calls, read(parse(BatchRequest, message))):
                answer = response.replies.add()
                for name, result in reply.items():
                    fill(getattr(answer, name), result)
            return response.SerializeToString()

        return handle

    def _uses_status_errors(self, head: CallHead) -> bool:
        return self._transport_errors or head.first(b"x-centrifugo-error-mode") == b"transport"


class KeyCheck:
    """Admits calls whose metadata hold the API key, compared in constant time."""

    __slots__ = ("_expected",)

    def __init__(self, key: str) -> None:
        self._expected = b"apikey " + key.encode()

    def __call__(self, head: CallHead) -> None:
        """Raises `GrpcError`."""
        if not compare_digest(head.first(b"authorization") or b"", self._expected):
            raise GrpcError(StatusCode.UNAUTHENTICATED, "unauthenticated")


def _set_survey_timeout(head: CallHead) -> None:
    survey_timeout.set(GRPC_SECONDS if head.timeout is None else head.timeout)


def _unimplemented(name: str) -> UnaryHandler:
    async def handle(_message: bytes, _head: CallHead) -> NoReturn:
        raise GrpcError(StatusCode.UNIMPLEMENTED, f"method {name} not implemented")

    return handle


def _error(error: ApiError) -> Error:
    return Error(code=error.code, message=error.message)


def _as_status(error: ApiError) -> GrpcError:
    code = _STATUS_BY_HTTP.get(error.http_status, StatusCode.INTERNAL)
    return GrpcError(code, error.message, (_error(error),))
