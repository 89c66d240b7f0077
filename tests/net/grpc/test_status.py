"""Statuses as trailers."""

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.net.grpc.status import GrpcError, StatusCode, encode_message


@given(st.text())
def test_messages_survive_in_printable_ascii(message: str) -> None:
    encoded = encode_message(message)
    assert all(0x20 <= byte <= 0x7E for byte in encoded)
    assert unquote_to_bytes(encoded) == message.encode("utf-8", "replace")


@pytest.mark.parametrize(("message", "encoded"), [("a b", b"a b"), ("50%", b"50%25"), ("ü\n", b"%C3%BC%0A"), ("", b"")])
def test_only_what_must_be_is_escaped(message: str, encoded: bytes) -> None:
    assert encode_message(message) == encoded


def test_a_status_has_code_and_message() -> None:
    trailers = GrpcError(StatusCode.NOT_FOUND, "no").trailers()
    assert trailers == [(b"grpc-status", b"5"), (b"grpc-message", b"no")]
