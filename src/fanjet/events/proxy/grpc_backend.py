"""gRPC backends (06 §4.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import grpc
from msgspec import Raw, structs

from fanjet.protocol.protobuf_encoding.structs import struct_reader

from .backend import NO_CONTEXT, BackendFailed
from .forwarding import Forwarding, merge_context
from .grpc_channel import GrpcChannel
from .proto import proxy_pb2
from .responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from fanjet.config.tree.proxy import Proxy
    from fanjet.events.event import Event

    from .event_kinds import EventKind
    from .requests import Request

R = TypeVar("R", bound=Response)

SERVICE: Final = "/centrifugal.centrifugo.proxy.CentrifugoProxy/"


class GrpcBackend(Generic[R]):
    """Calls one method of one server."""

    protocol = "grpc"

    def __init__(self, kind: EventKind[R], config: Proxy) -> None:
        """Raises `TLSError` for TLS settings that cannot be used."""
        self._path = SERVICE + kind.method
        self._request_class: type[Message] = getattr(proxy_pb2, f"{kind.method}Request")
        self._response_class: type[Message] = getattr(proxy_pb2, f"{kind.method}Response")
        self._read = struct_reader(self._response_class, kind.response)
        self._timeout = config.timeout
        self._metadata = CallMetadata(config)
        self._channel = GrpcChannel(config)
        self._call: Any = None

    async def call(self, request: Request, event: Event, context: Mapping[str, str] = NO_CONTEXT) -> R:
        """Send one request. Raises `BackendFailed`."""
        call = self._call or await self._open()
        try:
            response = await call(
                to_message(self._request_class, request),
                timeout=self._timeout,
                metadata=self._metadata.of(event, context),
            )
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                self._call = None
                await self._channel.invalidate()
            raise BackendFailed(status_text(error)) from None
        return self._read(response)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def _open(self) -> Any:
        await asyncio.sleep(0)  # opening may need a task, and an eager step runs outside one until it first waits
        channel = await self._channel.get()
        self._call = channel.unary_unary(
            self._path,
            request_serializer=self._request_class.SerializeToString,
            response_deserializer=self._response_class.FromString,
        )
        return self._call


class CallMetadata:
    """Metadata of calls: forwarded headers and the proxy's own credentials."""

    def __init__(self, config: Proxy) -> None:
        self._forwarding = Forwarding(config, config.grpc.static_metadata)
        key = config.grpc.credentials_key.lower()
        self._credentials = [(key, config.grpc.credentials_value)] if key else []

    def of(self, event: Event, context: Mapping[str, str]) -> list[tuple[str, str | bytes]]:
        """Return the metadata of a call about an event, with `context` added.

        Raises `BackendFailed` for values that metadata cannot hold.
        """
        try:
            forwarded = self._forwarding.grpc_metadata(event)
        except ValueError as error:
            raise BackendFailed(str(error)) from None
        return [*merge_context(forwarded, context), *self._credentials]


def to_message(message_class: type[Message], request: Request) -> Message:
    """Convert a request to a Protobuf message."""
    fields = structs.asdict(request)
    return message_class(**{name: bytes(one) if isinstance(one, Raw) else one for name, one in fields.items()})


def status_text(error: grpc.RpcError) -> str:
    """Return status and details of a failed call, for the log."""
    return f"{error.code().name}: {error.details()}"
