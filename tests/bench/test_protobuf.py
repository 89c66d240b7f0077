"""The generator's Protobuf subset, against the official library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.api.proto import api_pb2
from fanjet.bench.clients.grpc_api import batch_request, publish_request
from fanjet.bench.clients.protobuf import fields, messages


@given(st.text(max_size=200), st.binary(max_size=20_000))
def test_a_publish_request_is_decoded(channel: str, payload: bytes) -> None:
    request = api_pb2.PublishRequest.FromString(publish_request(channel, payload))
    assert (request.channel, request.data) == (channel, payload)


def test_a_batch_request_is_decoded() -> None:
    request = api_pb2.BatchRequest.FromString(batch_request([publish_request("a", b"1"), publish_request("b", b"2")]))
    assert [(one.publish.channel, one.publish.data) for one in request.commands] == [("a", b"1"), ("b", b"2")]


@given(st.integers(0, 2**64 - 1), st.text(max_size=300))
def test_fields_round_trip(offset: int, epoch: str) -> None:
    found = dict(fields(api_pb2.PublishResult(offset=offset, epoch=epoch).SerializeToString()))
    assert found == {**({1: offset} if offset else {}), **({2: epoch.encode()} if epoch else {})}


def test_all_fields_of_a_number_are_found() -> None:
    reply = api_pb2.BatchResponse(replies=[api_pb2.Reply(error=api_pb2.Error(code=code)) for code in (100, 107)])
    errors = [
        api_pb2.Error.FromString(error) for one in messages(reply.SerializeToString(), 1) for error in messages(one, 2)
    ]
    assert [error.code for error in errors] == [100, 107]


def test_an_unknown_wire_type_is_refused() -> None:
    with pytest.raises(ValueError, match="field 1 has type 5"):
        list(fields(b"\x0d\0\0\0\0"))
