"""Calls of the gRPC services by the official client library, as plain dictionaries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from fanjet.api.proto import api_pb2
from fanjet.transports.proto.unistream_pb2 import ConnectRequest, Push
from tests.support.server import API_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.message import Message

API = api_pb2.DESCRIPTOR.services_by_name["CentrifugoApi"]
CONSUME = "/centrifugal.centrifugo.unistream.CentrifugoUniStream/Consume"

KEY = ("authorization", f"apikey {API_KEY}")
BY_STATUS = ("x-centrifugo-error-mode", "transport")
UNLIMITED = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


def channel(port: int) -> grpc.aio.Channel:
    """A channel to a server of this machine, to be used as a context manager."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=UNLIMITED)


def api_call(
    to: grpc.aio.Channel,
    method: str,
    fields: Mapping[str, Any] | Message | None = None,
    metadata: Sequence[tuple[str, str]] = (KEY,),
    **options: Any,
) -> Any:
    """Begin a call of the server API; awaited, it gives the response message or raises `grpc.aio.AioRpcError`."""
    described = API.methods_by_name[method]
    request = GetMessageClass(described.input_type)(**fields) if isinstance(fields, dict) else fields
    stub = to.unary_unary(
        f"/{API.full_name}/{method}",
        request_serializer=lambda message: b"" if message is None else message.SerializeToString(),
        response_deserializer=GetMessageClass(described.output_type).FromString,
    )
    return stub(request, metadata=metadata, **options)


def consume(to: grpc.aio.Channel, request: ConnectRequest | None = None, **options: Any) -> Any:
    """Begin a unidirectional stream; iterate over its pushes."""
    stub = to.unary_stream(
        CONSUME, request_serializer=ConnectRequest.SerializeToString, response_deserializer=Push.FromString
    )
    return stub(request or ConnectRequest(), **options)


def as_json(message: Message) -> dict[str, Any]:
    """The message as the HTTP API has it: payloads are JSON, zero values are left out."""
    return {field.name: _plain(field, value) for field, value in message.ListFields()}


def without_zeros(value: Any) -> Any:
    """What the HTTP API answers, without the fields that it shows though they are zero."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key == "result" or item not in (0, "", [], {})}
        return {key: without_zeros(item) for key, item in kept.items()}
    return [without_zeros(item) for item in value] if isinstance(value, list) else value


def _plain(field: Any, value: Any) -> Any:
    nested = field.message_type
    if nested is not None and nested.GetOptions().map_entry:
        described = nested.fields_by_name["value"]
        return {key: _plain(described, value[key]) for key in value}
    if field.is_repeated:
        return [as_json(item) if nested is not None else item for item in value]
    if nested is not None:
        return as_json(value)
    return json.loads(value) if isinstance(value, bytes) else value
