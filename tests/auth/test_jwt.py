"""Taking tokens apart (03 §6.2)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.auth import TokenInvalid
from fanjet.auth.jwt import CACHED_HEADER_LENGTH, decode_part, parse_token

HEADER = "eyJhbGciOiJIUzI1NiJ9"  # {"alg":"HS256"}
CLAIMS = "e30"  # {}


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def with_header(header: bytes) -> str:
    return f"{encoded(header)}.{CLAIMS}.c2ln"


def test_a_token_has_header_claims_and_signature():
    token = parse_token(with_header(b'{"alg":"HS512","kid":"k1","typ":"JWT"}'))
    assert token.algorithm == "HS512"
    assert token.key_id == "k1"
    assert token.claims == b"{}"
    assert token.signature == b"sig"
    assert token.signed.endswith(b".e30")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("random text", id="text"),
        pytest.param(HEADER, id="one-part"),
        pytest.param(f"{HEADER}.{CLAIMS}", id="two-parts"),
        pytest.param(f"{HEADER}.{CLAIMS}.c2ln.c2ln", id="four-parts"),
        pytest.param(f" {HEADER}.{CLAIMS}.c2ln", id="leading-space"),
        pytest.param(with_header(b" {}"), id="header-does-not-start-with-a-brace"),
        pytest.param(f"{HEADER}.{CLAIMS}.c2l=", id="padding"),
        pytest.param(f"{HEADER}.{CLAIMS}.c2 n", id="space"),
        pytest.param(f"{HEADER}.{CLAIMS}.c2\tn", id="tab"),
        pytest.param(f"{HEADER}.{CLAIMS}.c2+n", id="plus"),
        pytest.param(f"{HEADER}.{CLAIMS}.c2/n", id="slash"),
        pytest.param(f"{HEADER}.{CLAIMS}.c2én", id="not-ascii"),
        pytest.param(f"{HEADER}.{CLAIMS}.c2lnA", id="one-character-too-many"),
        pytest.param(f"{HEADER}.e30=.c2ln", id="padded-claims"),
        pytest.param(with_header(b'{"alg":1}'), id="alg-is-a-number"),
        pytest.param(with_header(b'{"alg":"HS256","kid":1}'), id="kid-is-a-number"),
        pytest.param(with_header(b'{"alg":"HS256","typ":1}'), id="typ-is-a-number"),
        pytest.param(with_header(b'{"alg":'), id="header-is-no-json"),
        pytest.param(with_header(b"{}{}"), id="header-and-more"),
    ],
)
def test_what_is_no_token_is_refused(text):
    with pytest.raises(TokenInvalid):
        parse_token(text)


def test_line_breaks_within_parts_are_skipped_and_signed():
    token = parse_token(f"{HEADER[:6]}\r\n{HEADER[6:]}.e\n30.c2\nln\r")
    assert token.algorithm == "HS256"
    assert token.claims == b"{}"
    assert token.signature == b"sig"
    assert b"\r\n" in token.signed


def test_unused_trailing_bits_are_not_looked_at():
    assert parse_token(f"{HEADER}.e31.c2ln").claims == b"{}"


def test_null_and_odd_fields_in_the_header_are_fine():
    header = encoded(b'{"alg":"HS256","kid":null,"crit":["x"],"typ":"\\ud800"}')
    assert parse_token(f"{header}.{CLAIMS}.c2ln").key_id == ""


def test_long_headers_are_read_like_short_ones():
    header = encoded(b'{"alg":"HS256","x":"' + b"a" * CACHED_HEADER_LENGTH + b'"}')
    assert parse_token(f"{header}.{CLAIMS}.c2ln").algorithm == "HS256"


@given(st.binary())
def test_parts_decode_to_what_was_encoded(data):
    assert decode_part(encoded(data).encode()) == data


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_text_is_a_token_or_invalid(text):
    for candidate in (text, f"eyJ{text}.{text}.{text}", f"{HEADER}.{text}.{text}"):
        try:
            parse_token(candidate)
        except TokenInvalid:
            continue
