"""Bare pushes and bare connect requests (02 §9.1): the bidirectional ones without what is around them."""

import json
from typing import Any

import pytest
from hypothesis import given
from msgspec import Raw

from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import ERROR_PERMISSION_DENIED
from fanjet.protocol.connect_request import decode_json_connect_request
from fanjet.protocol.json_encoding.codec import JSON, UNIDIRECTIONAL_JSON
from fanjet.protocol.messages import (
    ConnectPush,
    ConnectRequest,
    ConnectResult,
    DisconnectPush,
    PushBody,
    RPCResult,
    SubscribeRequest,
)
from fanjet.protocol.protobuf_encoding.codec import PROTOBUF, UNIDIRECTIONAL_PROTOBUF
from fanjet.protocol.protobuf_encoding.decode import decode_connect_request
from fanjet.protocol.publication import Publication
from tests.protocol.messages import PUBLICATIONS, PUSHES, any_message, as_json, fill

REQUESTS = any_message(ConnectRequest, incoming=True)


@given(body=PUSHES)
@pytest.mark.parametrize("channel", ["", "news"])
def test_a_json_push_is_what_a_reply_would_hold(channel: str, body: PushBody) -> None:
    reply = json.loads(JSON.push(channel, body))
    assert json.loads(UNIDIRECTIONAL_JSON.push(channel, body)) == reply["push"]


@given(publication=PUBLICATIONS, before=PUBLICATIONS)
def test_a_json_publication_is_what_a_reply_would_hold(publication: Publication, before: Publication) -> None:
    bare, wrapped = (codec.publication_prefix("news") for codec in (UNIDIRECTIONAL_JSON, JSON))
    assert (
        json.loads(UNIDIRECTIONAL_JSON.publication_push(bare, publication))
        == json.loads(JSON.publication_push(wrapped, publication))["push"]
    )
    assert (
        json.loads(UNIDIRECTIONAL_JSON.delta_push(bare, publication, before.data, attempted=True))
        == json.loads(JSON.delta_push(wrapped, publication, before.data, attempted=True))["push"]
    )


@given(body=PUSHES)
def test_a_protobuf_push_is_what_a_reply_would_hold(pb: Any, body: PushBody) -> None:
    message = PROTOBUF.push("news", body)
    length = 1 if message[0] < 128 else 2 if message[1] < 128 else 3
    reply = pb.Reply.FromString(message[length:])
    assert pb.Push.FromString(UNIDIRECTIONAL_PROTOBUF.push("news", body)) == reply.push


def test_protobuf_messages_have_no_length(pb: Any) -> None:
    prefix = UNIDIRECTIONAL_PROTOBUF.publication_prefix("news")
    push = pb.Push.FromString(UNIDIRECTIONAL_PROTOBUF.publication_push(prefix, Publication(b"x", 3)))
    assert (push.channel, push.pub.data, push.pub.offset) == ("news", b"x", 3)
    reply = pb.Reply.FromString(UNIDIRECTIONAL_PROTOBUF.reply(7, RPCResult(b"y")))
    assert (reply.id, reply.rpc.data) == (7, b"y")
    assert pb.Push.FromString(UNIDIRECTIONAL_PROTOBUF.ping) == pb.Push()


@given(result=any_message(ConnectResult, incoming=False))
def test_a_connect_is_answered_with_a_push(pb: Any, result: ConnectResult) -> None:
    push = ConnectPush.from_result(result)
    assert UNIDIRECTIONAL_JSON.reply(1, result) == UNIDIRECTIONAL_JSON.push("", push)
    assert pb.Push.FromString(UNIDIRECTIONAL_PROTOBUF.reply(1, result)).connect.client == result.client


def test_other_commands_are_answered_with_replies() -> None:
    assert UNIDIRECTIONAL_JSON.reply(7, RPCResult(b"1")) == JSON.reply(7, RPCResult(b"1"))
    assert UNIDIRECTIONAL_JSON.error(7, ERROR_PERMISSION_DENIED) == JSON.error(7, ERROR_PERMISSION_DENIED)


def test_a_push_without_channel() -> None:
    assert UNIDIRECTIONAL_JSON.push("", DisconnectPush(3001, "shutdown")) == (
        b'{"disconnect":{"code":3001,"reason":"shutdown"}}'
    )


@given(request=REQUESTS)
def test_requests_in_both_encodings(pb: Any, request: ConnectRequest) -> None:
    assert decode_json_connect_request(as_json(request).encode()) == request
    assert decode_connect_request(fill(pb.ConnectRequest(), request).SerializeToString()) == request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"{}", ConnectRequest(), id="empty"),
        pytest.param(b"null", ConnectRequest(), id="null"),
        pytest.param(b' \r\n\t{"token":"t"} ', ConnectRequest("t"), id="space"),
        pytest.param(b'{"token":"t"}{"token":"u"}', ConnectRequest("t"), id="another-value"),
        pytest.param(b'{"token":"t"} and so on', ConnectRequest("t"), id="text-behind"),
        pytest.param(b'{"token":null,"subs":null,"x":1}', ConnectRequest(), id="nulls-and-unknown"),
        pytest.param(b'{"subs":{"a":null}}', ConnectRequest(subs={"a": SubscribeRequest()}), id="null-wish"),
        pytest.param(b'{"data":{"a": [1]}}', ConnectRequest(data=Raw(b'{"a": [1]}')), id="data-as-written"),
        pytest.param(b'{"name":"\\ud800"}', ConnectRequest(name="\ufffd"), id="half-surrogate"),
    ],
)
def test_requests_as_clients_write_them(text: bytes, expected: ConnectRequest) -> None:
    assert decode_json_connect_request(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"  ", b"{", b"[]", b"1", b'"{}"', b"true", b"x", b"nul", b'{"token":1}', b'{"subs":[]}'),
        b'{"name":"\xff"}',
        b'{"subs":{"a":{"offset":-1}}}',
        b'{"data":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    ],
)
def test_what_is_no_request(text: bytes) -> None:
    with pytest.raises(MalformedFrame):
        decode_json_connect_request(text)


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05ab", b"\x0a\x01\xff", b"\xff"])
def test_what_is_no_protobuf_request(data: bytes) -> None:
    with pytest.raises(MalformedFrame):
        decode_connect_request(data)
