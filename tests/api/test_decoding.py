"""Request bodies (05 §2.5): what is accepted, and as what."""

import pytest
from msgspec import Struct

from fanjet.api.requests import (
    BatchRequest,
    BroadcastRequest,
    DisconnectRequest,
    HistoryRequest,
    PublishRequest,
    SubscribeRequest,
)
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.json_encoding.scan import MalformedJSON


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"{}", PublishRequest(), id="empty-object"),
        pytest.param(b" null ", PublishRequest(), id="null"),
        pytest.param(b'{"channel":"a","x":[1,{"y":null}]}', PublishRequest(channel="a"), id="unknown-key"),
        pytest.param(b'{"channel":null,"tags":null,"delta":null}', PublishRequest(), id="null-is-unset"),
        pytest.param(b'{"channel":"a","channel":"b"}', PublishRequest(channel="b"), id="last-one-counts"),
        pytest.param(b'{"channel":"\\ud800"}', PublishRequest(channel="\ufffd"), id="half-surrogate"),
        pytest.param('{"channel":"ü"}'.encode(), PublishRequest(channel="ü"), id="utf-8"),
        pytest.param(b'{"version":18446744073709551615}', PublishRequest(version=2**64 - 1), id="largest-version"),
        pytest.param(b'{"tags":{"a":"b"}}', PublishRequest(tags={"a": "b"}), id="tags"),
        pytest.param(b'{"channels":[null,"a"]}', BroadcastRequest(channels=["", "a"]), id="null-in-a-list"),
        pytest.param(b'{"limit":-1}', HistoryRequest(limit=-1), id="negative"),
        pytest.param(b'{"limit":-0}', HistoryRequest(), id="minus-zero-signed"),
        pytest.param(b'{"commands":[null,{}],"parallel":true}', None, id="batch"),
    ],
)
def test_accepts(body: bytes, expected: Struct | None) -> None:
    request_type = BatchRequest if expected is None else type(expected)
    decoded = DocumentDecoder(request_type).decode(body)
    assert expected is None or decoded == expected


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"null", id="null"),
        pytest.param(b'{"n":1.0,"big":12345678901234567890123}', id="spelling"),
        pytest.param(b'{ "b" : 1 ,\n"a":-0 }', id="space-order-minus-zero"),
        pytest.param(b'"\\ud800"', id="half-surrogate"),
        pytest.param('"ü"'.encode(), id="utf-8"),
        pytest.param(b"[" * 9999 + b"]" * 9999, id="deepest"),
    ],
)
def test_payloads_are_kept_as_written(payload: bytes) -> None:
    decoded = DocumentDecoder(PublishRequest).decode(b'{"data": ' + payload + b' ,"channel":"a"}')
    assert bytes(decoded.data) == payload


@pytest.mark.parametrize(
    ("body", "request_type"),
    [
        pytest.param(b"", PublishRequest, id="nothing"),
        pytest.param(b"  ", PublishRequest, id="space"),
        pytest.param(b"{", PublishRequest, id="truncated"),
        pytest.param(b"[]", PublishRequest, id="array"),
        pytest.param(b'"x"', PublishRequest, id="string"),
        pytest.param(b"1", PublishRequest, id="number"),
        pytest.param(b"true", PublishRequest, id="boolean"),
        pytest.param(b"{}{}", PublishRequest, id="text-behind"),
        pytest.param(b"\xef\xbb\xbf{}", PublishRequest, id="byte-order-mark"),
        pytest.param(b'{"channel":1}', PublishRequest, id="number-for-string"),
        pytest.param(b'{"delta":1}', PublishRequest, id="number-for-boolean"),
        pytest.param(b'{"version":"1"}', PublishRequest, id="string-for-number"),
        pytest.param(b'{"version":1.0}', PublishRequest, id="fraction"),
        pytest.param(b'{"version":1e3}', PublishRequest, id="exponent"),
        pytest.param(b'{"version":-1}', PublishRequest, id="negative"),
        pytest.param(b'{"version":-0}', PublishRequest, id="minus-zero"),
        pytest.param(b'{"version": -0 ,"channel":"a"}', PublishRequest, id="minus-zero-in-space"),
        pytest.param(b'{"version":18446744073709551616}', PublishRequest, id="too-large"),
        pytest.param(b'{"tags":{"a":1}}', PublishRequest, id="tag-not-a-string"),
        pytest.param(b'{"tags":[]}', PublishRequest, id="array-for-map"),
        pytest.param(b'{"b64data":1}', PublishRequest, id="number-for-base64"),
        pytest.param(b'{"channels":"a"}', BroadcastRequest, id="string-for-list"),
        pytest.param(b'{"limit":2147483648}', HistoryRequest, id="too-large-for-32-bits"),
        pytest.param(b'{"since":{"offset":-1}}', HistoryRequest, id="negative-offset"),
        pytest.param(b'{"since":[]}', HistoryRequest, id="array-for-object"),
        pytest.param(b'{"disconnect":{"code":4294967296}}', DisconnectRequest, id="code-too-large"),
        pytest.param(b'{"override":{"presence":true}}', SubscribeRequest, id="boolean-for-object"),
        pytest.param(b'{"all_users":"yes"}', SubscribeRequest, id="unused-field"),
        pytest.param(b'{"commands":[{"publish":{"channel":1}}]}', BatchRequest, id="inside-a-batch"),
        pytest.param(b'{"commands":{}}', BatchRequest, id="object-for-commands"),
        pytest.param(b'{"data":NaN}', PublishRequest, id="nan"),
        pytest.param(b'{"data":[1,]}', PublishRequest, id="comma-at-the-end"),
        pytest.param(b'{"data":1/**/}', PublishRequest, id="comment"),
        pytest.param(b'{"data":"\x01"}', PublishRequest, id="control-character"),
        pytest.param(b'{"data":"\xff"}', PublishRequest, id="not-utf-8"),
        pytest.param(b'{"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}", PublishRequest, id="too-deep"),
        pytest.param(b'{"data":' + b"[" * 1_000_000, PublishRequest, id="deep-and-truncated"),
    ],
)
def test_refuses(body: bytes, request_type: type[Struct]) -> None:
    with pytest.raises(MalformedJSON):
        DocumentDecoder(request_type).decode(body)


def test_filters_that_nest_deep_are_read() -> None:
    body = b'{"label_filter":' + b'{"nodes":[' * 3000 + b"]}" * 3000 + b"}"
    assert DocumentDecoder(DisconnectRequest).decode(body).label_filter is not None
