"""The reflection service, which describes services and messages to clients.

Such a client is grpcurl.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pool

from .framing import frame, gzip_frame
from .parsing import STREAM_FAILURE, parse
from .proto import reflection_v1_pb2, reflection_v1alpha_pb2
from .proto.reflection_v1_pb2 import ServerReflectionRequest, ServerReflectionResponse
from .server import Service, bidi_streaming
from .status import GrpcError, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .call import StreamingCall
    from .head import CallHead

_NAMES: Final = tuple(
    module.DESCRIPTOR.services_by_name["ServerReflection"].full_name
    for module in (reflection_v1_pb2, reflection_v1alpha_pb2)
)
"""Both versions, which are equal on the wire."""

_pool: Final = descriptor_pool.Default()


def reflection_services(services: Iterable[Service], authorize: Callable[[CallHead], None] | None) -> list[Service]:
    """Both versions of the reflection service for a server with `services`."""
    names = sorted([*(service.name for service in services), *_NAMES])
    method = bidi_streaming(lambda call: _Reflection(call, names))
    return [Service(name, {"ServerReflectionInfo": method}, authorize) for name in _NAMES]


class _Reflection:
    """One reflection stream. A file is sent once, unless requested explicitly."""

    def __init__(self, call: StreamingCall, services: Sequence[str]) -> None:
        self._call = call
        self._services = services
        self._described: set[str] = set()
        self._frame = gzip_frame if call.compressed else frame
        call.open()

    def on_message(self, message: bytes) -> None:
        """Respond to one request. Raises `GrpcError`."""
        request = parse(ServerReflectionRequest, message, STREAM_FAILURE)
        response = ServerReflectionResponse(valid_host=request.host, original_request=request)
        kind = request.WhichOneof("message_request")
        if kind is None:
            raise GrpcError(StatusCode.INVALID_ARGUMENT, "invalid MessageRequest: <nil>")
        try:
            self._answer(kind, request, response)
        except KeyError:
            response.error_response.error_code = StatusCode.NOT_FOUND
            response.error_response.error_message = "proto: not found"
        self._call.write(self._frame(response.SerializeToString()))

    def on_end(self) -> None:
        """The client has sent its last request."""
        self._call.finish()

    def _answer(self, kind: str, request: ServerReflectionRequest, response: ServerReflectionResponse) -> None:
        """Fill in the response. Raises `KeyError` for unknown names."""
        if kind == "list_services":
            for name in self._services:
                response.list_services_response.service.add(name=name)
        elif kind == "file_by_filename":
            self._describe(_pool.FindFileByName(request.file_by_filename), response)
        elif kind == "file_containing_symbol":
            self._describe(_file_of(request.file_containing_symbol), response)
        elif kind == "file_containing_extension":
            wanted = request.file_containing_extension
            extended = _pool.FindMessageTypeByName(wanted.containing_type)
            extension: Any = _pool.FindExtensionByNumber(extended, wanted.extension_number)
            self._describe(extension.file, response)
        else:
            name = request.all_extension_numbers_of_type
            extensions = _pool.FindAllExtensions(_pool.FindMessageTypeByName(name))
            response.all_extension_numbers_response.base_type_name = name
            numbers = sorted(extension.number for extension in extensions)
            response.all_extension_numbers_response.extension_number.extend(numbers)

    def _describe(self, file: Any, response: ServerReflectionResponse) -> None:
        """Add a file and those of its imports that this stream has not sent yet."""
        files = response.file_descriptor_response.file_descriptor_proto
        waiting = [file]
        for each in waiting:
            if not files or each.name not in self._described:
                self._described.add(each.name)
                files.append(each.serialized_pb)
                waiting.extend(each.dependencies)


def _file_of(symbol: str) -> Any:
    """The file of a symbol.

    Raises `KeyError`. The library does not treat methods as symbols.
    """
    try:
        return _pool.FindFileContainingSymbol(symbol)
    except KeyError:
        method: Any = _pool.FindMethodByName(symbol)
        return method.containing_service.file
