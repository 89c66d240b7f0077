"""Payload pairs (05 §1)."""

import pytest
from msgspec import Raw

from fanjet.api.errors import BadRequest
from fanjet.api.payloads import payload_of


@pytest.mark.parametrize(
    ("plain", "base64", "expected"),
    [
        pytest.param(Raw(), "", b"", id="neither"),
        pytest.param(Raw(b"null"), "", b"null", id="null-is-a-value"),
        pytest.param(Raw(b'{"a": 1}'), "", b'{"a": 1}', id="plain"),
        pytest.param(Raw(b"1"), "aGk=", b"hi", id="base64-wins"),
        pytest.param(Raw(), "aG\r\nk=\n", b"hi", id="line-breaks"),
        pytest.param(Raw(b"1"), "\n", b"", id="only-a-line-break"),
        pytest.param(Raw(), "+/8=", b"\xfb\xff", id="standard-alphabet"),
    ],
)
def test_takes(plain: Raw, base64: str, expected: bytes) -> None:
    assert payload_of(plain, base64) == expected


@pytest.mark.parametrize("base64", ["***", "aGk", "aGk=x", "a G k=", "-_8=", "ü", "="])
def test_refuses_what_is_not_base64(base64: str) -> None:
    with pytest.raises(BadRequest):
        payload_of(Raw(b"1"), base64)
