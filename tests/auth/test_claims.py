"""Claims of several types (03 §6.5, §6.10)."""

import pytest
from msgspec import Raw

from fanjet.auth import TokenInvalid
from fanjet.auth.claims import read_audience, read_payload, read_text, read_time


@pytest.mark.parametrize(
    ("claim", "seconds"),
    [
        pytest.param(b"", None, id="absent"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b"1700000000", 1700000000, id="integer"),
        pytest.param(b"1700000000.5", 1700000000.5, id="fraction"),
        pytest.param(b"1.7e9", 1700000000, id="exponent"),
        pytest.param(b"-1", -1, id="negative"),
        pytest.param(b'"1700000000"', 1700000000, id="numeric-string"),
        pytest.param(b'"1\\u0037"', 17, id="numeric-string-with-escapes"),
        pytest.param(b"99999999999999999999", float("-inf"), id="past-the-end-of-time"),
    ],
)
def test_times(claim, seconds):
    assert read_time(Raw(claim)) == seconds


@pytest.mark.parametrize("claim", [b"true", b'""', b'" 1"', b'"0x1"', b'"1_0"', b'"inf"', b"[]", b"{}", b"1e400"])
def test_what_is_no_time_makes_the_token_invalid(claim):
    with pytest.raises(TokenInvalid):
        read_time(Raw(claim))


@pytest.mark.parametrize(
    ("claim", "audience"),
    [
        pytest.param(b"", (), id="absent"),
        pytest.param(b'"a"', ("a",), id="string"),
        pytest.param(b'["x","a"]', ("x", "a"), id="array"),
        pytest.param(b"[]", (), id="empty-array"),
        pytest.param(b'"\\ud800"', ("\ufffd",), id="half-surrogate"),
    ],
)
def test_audiences(claim, audience):
    assert read_audience(Raw(claim)) == audience


@pytest.mark.parametrize("claim", [b"null", b"1", b"{}", b'["a",1]', b'["a",null]', b"[" * 5000 + b"]" * 5000])
def test_what_is_no_audience_makes_the_token_invalid(claim):
    with pytest.raises(TokenInvalid):
        read_audience(Raw(claim))


@pytest.mark.parametrize(
    ("claim", "user"),
    [
        pytest.param(b"", "", id="absent"),
        pytest.param(b"null", "", id="null"),
        pytest.param(b'"u1"', "u1", id="string"),
        pytest.param(b'"\\u0075\\ud800"', "u\ufffd", id="string-with-escapes"),
        pytest.param(b"42", "42", id="integer"),
        pytest.param(b"-0", "-0", id="negative-zero"),
        pytest.param(b"123456789012345678901234567890", "123456789012345678901234567890", id="large-integer"),
        pytest.param(b"1.50", "1.5", id="fraction"),
        pytest.param(b"1e3", "1000", id="exponent"),
        pytest.param(b"1.0", "1", id="whole-fraction"),
        pytest.param(b"1e-7", "0.0000001", id="small"),
        pytest.param(b"1e21", "1000000000000000000000", id="large"),
        pytest.param(b"true", "true", id="true"),
        pytest.param(b"false", "false", id="false"),
        pytest.param(b'{"a": [1]}', '{"a": [1]}', id="object"),
        pytest.param(b"[1, 2]", "[1, 2]", id="array"),
    ],
)
def test_users(claim, user):
    assert read_text(Raw(claim)) == user


@pytest.mark.parametrize(
    ("claim", "encoded", "payload"),
    [
        pytest.param(b"", "", b"", id="absent"),
        pytest.param(b'{"a": 1}', "", b'{"a": 1}', id="json-as-written"),
        pytest.param(b"null", "", b"null", id="null"),
        pytest.param(b'{"a":1}', "AQI=", b"\x01\x02", id="base64-wins"),
        pytest.param(b"", "A\nQ\r\nI=", b"\x01\x02", id="base64-with-line-breaks"),
        pytest.param(b"", "+/+/", b"\xfb\xff\xbf", id="standard-alphabet"),
    ],
)
def test_payloads(claim, encoded, payload):
    assert read_payload(Raw(claim), encoded) == payload


@pytest.mark.parametrize("encoded", ["!", "AQI", "-_-_", "A Q I=", "AQI=AQI=", "é", "===="])
def test_bad_base64_makes_the_token_invalid(encoded):
    with pytest.raises(TokenInvalid):
        read_payload(Raw(b""), encoded)
