"""Requests and results as Protobuf: the same as from and to JSON."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from fanjet.api.grpc import SERVICE
from fanjet.api.methods import METHODS
from fanjet.api.proto import api_pb2
from fanjet.api.protobuf import fill
from fanjet.api.requests import BatchRequest, PublishRequest
from fanjet.api.results import ClientInfo, HistoryResult, Payload, PresenceResult, Publication, PublishResult
from fanjet.protocol.protobuf_encoding.structs import struct_reader

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

BY_NAME = {method.name.lower(): method for method in SERVICE.methods}


def described(name: str) -> Any:
    return GetMessageClass(BY_NAME[name.replace("_", "")].input_type)


def sample(descriptor: Descriptor, depth: int = 0) -> dict[str, Any]:
    """A JSON object with every field set to something of its own."""
    return {field.name: _sample(field, depth) for field in descriptor.fields if depth < 2 or field.message_type is None}


def _sample(field: FieldDescriptor, depth: int) -> Any:
    nested = field.message_type
    if nested is not None and nested.GetOptions().map_entry:
        return {"key": "value"}
    if nested is not None:
        value: Any = sample(nested, depth + 1)
    elif field.type == field.TYPE_BYTES:
        value = {"payload": field.name}
    elif field.type == field.TYPE_STRING:
        value = f"the {field.name}"
    else:
        value = True if field.type == field.TYPE_BOOL else field.number
    return [value] if field.is_repeated else value


def as_protobuf_json(value: Any) -> Any:
    """The same with payloads in base64, as Protobuf's own JSON has them."""
    if isinstance(value, dict) and "payload" in value:
        return base64.b64encode(json.dumps(value).encode()).decode()
    if isinstance(value, dict):
        return {key: as_protobuf_json(item) for key, item in value.items()}
    return [as_protobuf_json(item) for item in value] if isinstance(value, list) else value


def bare(request: Any) -> Any:
    """A struct as plain values; payloads as bytes."""
    if isinstance(request, msgspec.Raw):
        return bytes(request)
    if isinstance(request, msgspec.Struct):
        return {name: bare(getattr(request, name)) for name in request.__struct_fields__}
    return [bare(item) for item in request] if isinstance(request, list) else request


@pytest.mark.parametrize("name", METHODS)
def test_every_field_of_a_request_is_read(name: str) -> None:
    kind, struct = described(name), METHODS[name].request_type
    fields = sample(kind.DESCRIPTOR)
    assert set(fields) == set(struct.__struct_fields__)
    message = json_format.ParseDict(as_protobuf_json(fields), kind())
    read = bare(struct_reader(kind, struct)(message))
    assert read == bare(msgspec.json.decode(json.dumps(fields), type=struct))


@pytest.mark.parametrize("name", METHODS)
def test_what_is_not_set_is_as_if_it_was_not_sent(name: str) -> None:
    kind, struct = described(name), METHODS[name].request_type
    assert bare(struct_reader(kind, struct)(kind())) == bare(struct())


def test_batches_hold_requests_and_pass_over_what_is_not_built() -> None:
    message = api_pb2.BatchRequest(
        parallel=True,
        commands=[{"publish": {"channel": "a", "data": b"\xff"}}, {"connections": {"user": "u"}}, {"info": {}}],
    )
    first, second, third = struct_reader(api_pb2.BatchRequest, BatchRequest)(message).commands
    assert bare(first.publish) == bare(PublishRequest(channel="a", data=msgspec.Raw(b"\xff")))
    assert set(bare(second).values()) == {None}
    assert third.info is not None


def test_numbers_beyond_63_bits_pass() -> None:
    read = struct_reader(api_pb2.PublishRequest, PublishRequest)
    assert read(api_pb2.PublishRequest(version=2**64 - 1)).version == 2**64 - 1


def test_results_are_filled_in_to_the_last_leaf() -> None:
    info = ClientInfo("u", "c", Payload(b"\xff"), None)
    history = HistoryResult([Publication(Payload(b"\0"), info, 7, {"a": "b"}), Publication()], "epoch", 8)
    response = api_pb2.HistoryResponse()
    fill(response.result, history)
    assert response == api_pb2.HistoryResponse(
        result={
            "publications": [
                {
                    "data": b"\0",
                    "info": {"user": "u", "client": "c", "conn_info": b"\xff"},
                    "offset": 7,
                    "tags": {"a": "b"},
                },
                {},
            ],
            "epoch": "epoch",
            "offset": 8,
        }
    )
    presence = api_pb2.PresenceResult()
    fill(presence, PresenceResult({"c": info}))
    assert presence.presence["c"].user == "u"


def test_an_empty_result_is_there() -> None:
    response = api_pb2.PublishResponse()
    fill(response.result, PublishResult())
    assert response.HasField("result")
