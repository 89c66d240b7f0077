"""The careful decoder: accepts what the contract accepts, refuses what it refuses (01 §2.2, §2.4; 05 §2.5)."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Raw, Struct

from fanjet.protocol.json_encoding.lenient_decoder import decode, decode_first
from fanjet.protocol.json_encoding.scan import MalformedJSON, is_json, skip_value

Unsigned = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Signed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Node(Struct, frozen=True):
    name: str = ""
    nodes: list[Node | None] = []


class Message(Struct, frozen=True):
    text: str = ""
    flag: bool = False
    size: Unsigned = 0
    small: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    when: Signed = 0
    data: Raw = Raw()
    tags: dict[str, str] = {}
    names: list[str] = []
    parts: list[Raw] = []
    node: Node | None = None
    by_name: dict[str, Node] = {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"null", Message(), id="null-document"),
        pytest.param(b" { } \r\n\t", Message(), id="white-space"),
        pytest.param(
            b'{"text":null,"flag":null,"size":null,"tags":null,"names":null,"node":null}', Message(), id="nulls"
        ),
        pytest.param(b'{"text":"a","text":null}', Message(text="a"), id="null-leaves-a-scalar"),
        pytest.param(
            b'{"names":["a"],"node":{},"names":null,"node":null}', Message(), id="null-takes-back-a-container"
        ),
        pytest.param(b'{"text":"a","text":"b"}', Message(text="b"), id="last-one-counts"),
        pytest.param(b'{"names":[null,"a"]}', Message(names=["", "a"]), id="null-element"),
        pytest.param(b'{"tags":{"a":null}}', Message(tags={"a": ""}), id="null-tag"),
        pytest.param(b'{"by_name":{"a":null}}', Message(by_name={"a": Node()}), id="null-struct-in-a-map"),
        pytest.param(b'{"node":{"nodes":[null]}}', Message(node=Node(nodes=[None])), id="null-node"),
        pytest.param(b'{"text":"\\ud800x\\ude00"}', Message(text="\ufffdx\ufffd"), id="half-surrogates"),
        pytest.param(b'{"text":"\\ud83d\\ude00"}', Message(text="\U0001f600"), id="whole-pair"),
        pytest.param(b'{"te\\u0078t":"\\n\\"\\/"}', Message(text='\n"/'), id="escapes"),
        pytest.param('{"text":"é"}'.encode(), Message(text="é"), id="utf-8"),
        pytest.param(b'{"size":18446744073709551615}', Message(size=2**64 - 1), id="largest-unsigned"),
        pytest.param(b'{"when":-9223372036854775808}', Message(when=-(2**63)), id="smallest-signed"),
        pytest.param(b'{"when":-0}', Message(), id="minus-zero-signed"),
        pytest.param(b'{"other":[{"a":[1.5e3,"]"],"b":{}},[]],"flag":true}', Message(flag=True), id="unknown-key"),
        pytest.param(b'{"names":[],"tags":{},"node":{}}', Message(node=Node()), id="empty-containers"),
        pytest.param(b'{"by_name":{"x":{"name":"n"}}}', Message(by_name={"x": Node("n")}), id="structs-in-a-map"),
    ],
)
def test_accepts(text: bytes, expected: Message) -> None:
    assert decode(text, Message) == expected


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"null", id="null"),
        pytest.param(b'{"n" : 1.0,\t"big":12345678901234567890123}', id="spelling"),
        pytest.param(b'"\\ud800"', id="half-surrogate"),
        pytest.param(b'{"a":1,"a":2}', id="key-twice"),
        pytest.param(b"[" * 9999 + b"]" * 9999, id="deepest"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, id="deep-objects"),
    ],
)
def test_keeps_payloads_as_written(payload: bytes) -> None:
    assert bytes(decode(b'{"data": ' + payload + b' ,"text":"x"}', Message).data) == payload


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" ", id="only-space"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'"x"', id="string"),
        pytest.param(b"nul", id="half-a-word"),
        pytest.param(b"{} {}", id="text-behind"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param(b'{"x":"\xff"}', id="not-utf-8"),
        pytest.param(b'{"text":1}', id="number-for-string"),
        pytest.param(b'{"flag":"true"}', id="string-for-boolean"),
        pytest.param(b'{"flag":truex}', id="more-than-true"),
        pytest.param(b'{"size":nullx}', id="more-than-null"),
        pytest.param(b'{"size":"1"}', id="string-for-number"),
        pytest.param(b'{"size":7.0}', id="fraction"),
        pytest.param(b'{"size":1e2}', id="exponent"),
        pytest.param(b'{"size":1E2}', id="large-exponent"),
        pytest.param(b'{"size":-1}', id="negative"),
        pytest.param(b'{"size":-0}', id="minus-zero"),
        pytest.param(b'{"size":18446744073709551616}', id="too-large"),
        pytest.param(b'{"size":' + b"9" * 5000 + b"}", id="thousands-of-digits"),
        pytest.param(b'{"small":4294967296}', id="too-large-for-32-bits"),
        pytest.param(b'{"when":9223372036854775808}', id="too-large-for-signed"),
        pytest.param(b'{"size":01}', id="leading-zero"),
        pytest.param(b'{"tags":{"a":1}}', id="number-for-tag"),
        pytest.param(b'{"tags":[]}', id="array-for-map"),
        pytest.param(b'{"names":{}}', id="object-for-array"),
        pytest.param(b'{"names":["a",]}', id="comma-at-the-end"),
        pytest.param(b'{"names":["a" "b"]}', id="no-comma"),
        pytest.param(b'{"text":"a",}', id="comma-behind-member"),
        pytest.param(b'{"text" "a"}', id="no-colon"),
        pytest.param(b"{text:1}", id="bare-key"),
        pytest.param(b'{"data":NaN}', id="nan"),
        pytest.param(b'{"data":-Infinity}', id="infinity"),
        pytest.param(b'{"data":[1,]}', id="comma-in-payload"),
        pytest.param(b'{"data":[1}', id="wrong-closer"),
        pytest.param(b'{"data":{"a":1,}}', id="comma-in-payload-object"),
        pytest.param(b'{"data":{"a"}}', id="key-alone"),
        pytest.param(b'{"data":"\x01"}', id="control-character"),
        pytest.param(b'{"data":"\\q"}', id="bad-escape"),
        pytest.param(b'{"data":"\\u12g4"}', id="bad-unicode-escape"),
        pytest.param(b'{"data":1.}', id="point-at-the-end"),
        pytest.param(b'{"data":.5}', id="point-first"),
        pytest.param(b'{"data":/**/1}', id="comment"),
        pytest.param(b'{"data":1', id="truncated"),
        pytest.param(b'{"data":' + b"[" * 10_000 + b"]" * 10_000 + b"}", id="too-deep"),
        pytest.param(b'{"data":' + b"[" * 100_000, id="deep-and-truncated"),
    ],
)
def test_refuses(text: bytes) -> None:
    with pytest.raises(MalformedJSON):
        decode(text, Message)


def test_what_nests_too_deep_to_be_filled_in_counts_as_null() -> None:
    deep = b'{"node":' + b'{"nodes":[' * 300 + b"]}" * 300 + b"}"
    node = decode(deep, Message).node
    depth = 0
    while node is not None and node.nodes:
        node, depth = node.nodes[0], depth + 1
    assert node is None
    assert depth == 100  # an object and an array per level


def test_documents_one_after_another() -> None:
    text = b' {"text":"a"}\n\n{"text":"b"}{"text":"c"} '
    texts, at = [], 0
    while at < len(text):
        message, at = decode_first(text, at, Message)
        texts.append(message.text)
    assert texts == ["a", "b", "c"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values, st.booleans(), st.sampled_from([None, 2]))
def test_any_json_is_json_and_passed_over_whole(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(errors="replace")
    assert is_json(text)
    assert skip_value(text + b" 1", 0) == len(text)
    assert bytes(decode(b'{"data":' + text + b"}", Message).data) == text


@given(st.binary() | st.text(alphabet='{}[]",:\\u0123eE.-+truefalsn \n\x00').map(str.encode))
def test_agrees_with_the_fast_decoder_on_any_bytes(text: bytes) -> None:
    try:
        text.decode()
        msgspec.json.decode(text)
        fast = True
    except (UnicodeDecodeError, msgspec.DecodeError):
        fast = False
    if fast:
        assert is_json(text)
    elif b"\\u" not in text:
        assert not is_json(text)


@given(
    st.builds(Message, text=st.text(), flag=st.booleans(), size=st.integers(0, 2**63 - 1), names=st.lists(st.text()))
)
def test_reads_what_the_encoder_writes(message: Message) -> None:
    message = msgspec.structs.replace(message, data=Raw(b"[1]"))
    assert decode(msgspec.json.encode(message), Message) == message


def test_elements_that_are_payloads_stay_as_written():
    parts = decode(b'{"parts":[ 1.50 ,null,"\\ud800",{ }]}', Message).parts
    assert [bytes(part) for part in parts] == [b"1.50", b"null", b'"\\ud800"', b"{ }"]
