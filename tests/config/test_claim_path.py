"""Paths to claims (03 §14.4)."""

import pytest

from fanjet.config.claim_path import RESERVED, parse_claim_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("role", ("role",), id="one"),
        pytest.param("user.role", ("user", "role"), id="two"),
        pytest.param("roles.0.name", ("roles", "0", "name"), id="index"),
        pytest.param("custom-info", ("custom-info",), id="dash"),
        pytest.param(r"https://a\.b/claims", ("https://a.b/claims",), id="escaped-dot"),
        pytest.param(r"a\\b", (r"a\b",), id="escaped-backslash"),
        pytest.param(r"\@type.\#", ("@type", "#"), id="escaped-reserved"),
        pytest.param(r"\a", ("a",), id="escaped-plain"),
        pytest.param("a..b", ("a", "", "b"), id="empty-name"),
        pytest.param("a b\n", ("a b\n",), id="space"),
    ],
)
def test_paths_are_split_at_dots(text, path):
    assert parse_claim_path(text) == path


@pytest.mark.parametrize("character", RESERVED)
def test_reserved_characters_must_be_escaped(character):
    with pytest.raises(ValueError, match="must be escaped"):
        parse_claim_path(f"a.b{character}c")
    assert parse_claim_path(f"a.b\\{character}c") == ("a", f"b{character}c")


@pytest.mark.parametrize(("text", "reason"), [("", "must not be empty"), ("a\\", "ends with a backslash")])
def test_what_is_no_path_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_claim_path(text)
