"""Login tokens: format and validity."""

import pytest

from fanjet.admin.auth.login_token import MAX_LENGTH, VALID_SECONDS, is_valid, issue

NOW = 1_700_000_000
OF_THE_REFERENCE = b"MTcwMDAwMDAwMHxEUXdBQ21GMWRHaHZjbWw2WldRPX"
"""How a token of the reference begins that was made at NOW: its time and its value."""


def test_a_token_is_valid_for_thirty_days() -> None:
    token = issue("secret", NOW).encode()
    assert is_valid("secret", token, NOW)
    assert is_valid("secret", token, NOW + VALID_SECONDS)
    assert not is_valid("secret", token, NOW + VALID_SECONDS + 1)


def test_the_format_is_that_of_the_reference() -> None:
    assert issue("secret", NOW).encode().startswith(OF_THE_REFERENCE)


@pytest.mark.parametrize("secret", ["", "another"])
def test_a_token_is_valid_with_its_secret_only(secret: str) -> None:
    assert not is_valid(secret, issue("secret", NOW).encode(), NOW)


@pytest.mark.parametrize("at", [0, 20, -3])
def test_a_modified_token_is_invalid(at: int) -> None:
    token = bytearray(issue("secret", NOW).encode())
    token[at] = ord("A") if token[at] != ord("A") else ord("B")
    assert not is_valid("secret", bytes(token), NOW)


@pytest.mark.parametrize(
    "token", [b"", b"x", b"====", b"MXwy", issue("secret", NOW).encode() + b"x", b"A" * (MAX_LENGTH + 1), b"\xff"]
)
def test_malformed_tokens_are_invalid(token: bytes) -> None:
    assert not is_valid("secret", token, NOW)
