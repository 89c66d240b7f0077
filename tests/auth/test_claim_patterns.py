"""Patterns for issuer and audience (03 §6.4 step 2)."""

import pytest

from fanjet.auth.claim_patterns import claim_patterns
from fanjet.auth.errors import TokenInvalid, TokenSettingsError
from fanjet.config.tree.token import Token as TokenConfig


@pytest.mark.parametrize(
    ("config", "issuer", "audience", "named"),
    [
        pytest.param({"issuer_regex": "b"}, "abc", (), {}, id="anywhere-inside"),
        pytest.param({"issuer_regex": "^a.*"}, "abc", (), {}, id="anchored"),
        pytest.param({"issuer_regex": "^$"}, "", (), {}, id="no-issuer"),
        pytest.param({"audience_regex": "^b"}, "", ("a", "b1", "b2"), {}, id="one-of-several"),
        pytest.param({"issuer_regex": "(?P<t>aa|bb)"}, "x-bb", (), {"t": "bb"}, id="group"),
        pytest.param({"issuer_regex": "(?P<t>aa)|(?P<u>bb)"}, "bb", (), {"t": "", "u": "bb"}, id="group-without-part"),
        pytest.param({"audience_regex": "(?P<t>.)1"}, "", ("a", "b1", "c1"), {"t": "b"}, id="the-first-match-counts"),
        pytest.param(
            {"issuer_regex": "(?P<t>.)", "audience_regex": "(?P<u>.)"}, "i", ("a",), {"t": "i", "u": "a"}, id="both"
        ),
        pytest.param(
            {"issuer_regex": "(?P<t>.)", "audience_regex": "(?P<t>.)"}, "i", ("a",), {"t": "a"}, id="same-name"
        ),
        pytest.param({"issuer_regex": "(.)(?P<t>é+)"}, "xéé", (), {"t": "éé"}, id="characters"),
    ],
)
def test_what_matches(config, issuer, audience, named):
    patterns = claim_patterns(TokenConfig(**config))
    assert patterns is not None
    assert patterns.match(issuer, audience) == named


@pytest.mark.parametrize(
    ("config", "issuer", "audience"),
    [
        pytest.param({"issuer_regex": "^a$"}, "b", (), id="issuer"),
        pytest.param({"issuer_regex": "a"}, "", ("a",), id="no-issuer"),
        pytest.param({"audience_regex": "^a$"}, "a", ("b", "ab"), id="audience"),
        pytest.param({"audience_regex": ".*"}, "a", (), id="no-audience"),
        pytest.param({"issuer_regex": "a", "audience_regex": "b"}, "a", ("a",), id="only-issuer"),
    ],
)
def test_what_does_not(config, issuer, audience):
    patterns = claim_patterns(TokenConfig(**config))
    assert patterns is not None
    with pytest.raises(TokenInvalid):
        patterns.match(issuer, audience)


def test_without_patterns_there_is_nothing_to_match():
    assert claim_patterns(TokenConfig(issuer="a", audience="b")) is None


@pytest.mark.parametrize(
    ("key", "pattern", "reason"),
    [
        pytest.param("issuer_regex", "(", r"error compiling issuer regex: \(: missing", id="issuer"),
        pytest.param("audience_regex", "a**", r"error compiling audience regex: a\*\*: ", id="audience"),
        pytest.param("issuer_regex", "(?=a)", "error compiling issuer regex: ", id="look-ahead"),
        pytest.param("issuer_regex", r"a\C", "invalid escape sequence", id="single-byte"),
    ],
)
def test_what_is_no_pattern_is_refused_by_its_key(key, pattern, reason):
    with pytest.raises(TokenSettingsError, match=reason) as refused:
        claim_patterns(TokenConfig(**{key: pattern}))
    assert refused.value.key == key
