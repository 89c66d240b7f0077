"""Requests that bring commands (02 §7.4)."""

from __future__ import annotations

import pytest
from msgspec import Raw

from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.emulation import decode_emulation_data, emulation_request
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.messages import EmulationRequest
from fanjet.protocol.protobuf_encoding.codec import PROTOBUF


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{"node":"n","session":"s","data":"{}"}', EmulationRequest("n", "s", Raw(b'"{}"')), id="whole"),
        pytest.param(b"null", EmulationRequest(), id="null"),
        pytest.param(b'{"node":null,"more":[1]}', EmulationRequest(), id="null-and-unknown"),
        pytest.param(b'{"node":"n"} {', EmulationRequest("n"), id="followed-by-something"),
        pytest.param(b'{"node":"\xff"}', EmulationRequest("\ufffd"), id="not-utf-8"),
    ],
)
def test_a_json_body(body: bytes, expected: EmulationRequest) -> None:
    request = emulation_request(body, is_protobuf=False)
    assert (request.node, request.session, bytes(request.data)) == (
        expected.node,
        expected.session,
        bytes(expected.data),
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"node":1}', b'{"data":' + b"[" * 100_000])
def test_a_json_body_that_is_none(body: bytes) -> None:
    with pytest.raises(MalformedFrame):
        emulation_request(body, is_protobuf=False)


def test_a_protobuf_body() -> None:
    request = emulation_request(b"\x0a\x01n\x12\x01s\x1a\x02\xff\x00\x20\x07", is_protobuf=True)
    assert (request.node, request.session, bytes(request.data)) == ("n", "s", b"\xff\x00")
    with pytest.raises(MalformedFrame):
        emulation_request(b"\x0a\x05n", is_protobuf=True)


@pytest.mark.parametrize(
    ("data", "frame"),
    [
        (b'"{}\\n{}"', b"{}\n{}"),
        (b' "\\u00fc" ', "ü".encode()),
        (b"null", b""),
        (b'"\\ud800"', "\ufffd".encode()),
        (b'"\xff"', "\ufffd".encode()),
    ],
)
def test_json_commands_are_the_text_of_a_string(data: bytes, frame: bytes) -> None:
    assert decode_emulation_data(JSON, data) == frame


@pytest.mark.parametrize("data", [b"", b"{}", b"1", b'"x', b'"x"y', b'"\n"'])
def test_json_commands_that_are_no_string(data: bytes) -> None:
    with pytest.raises(MalformedFrame):
        decode_emulation_data(JSON, data)


def test_protobuf_commands_are_the_bytes_themselves() -> None:
    assert decode_emulation_data(PROTOBUF, b'"\xff') == b'"\xff'
