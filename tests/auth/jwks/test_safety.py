"""Tokens cannot lead us to foreign key sets, unless a pattern lets them (03 §6.3)."""

import pytest
import re2

from fanjet.auth.errors import TokenSettingsError
from fanjet.auth.jwks.safety import check_endpoint_safety

PLACEHOLDERS = frozenset({"t", "unknown"})


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("", id="none"),
        pytest.param("^https://(?P<t>aa|bb)$", id="list"),
        pytest.param("^https://(?<t>aa|bb)$", id="short-syntax"),
        pytest.param("(?P<t>one)", id="one"),
        pytest.param("(?P<t>)", id="nothing"),
        pytest.param("(?P<t>a|b|)", id="empty-alternative"),
        pytest.param(r"(?P<t>a\.b|c\-d|\x41|\x{1F600}|\n|\*)", id="escapes"),
        pytest.param(r"(?P<t>\Qa.*b\E|c)", id="quoted"),
        pytest.param("(?P<t>a(?:b|c(d|e))|(?P<u>f))", id="nested"),
        pytest.param("(?i)(?P<t>aa|(?i:bb)|(?i)cc)", id="flags"),
        pytest.param("(?P<t>a{b|{,2})", id="braces-that-repeat-nothing"),
        pytest.param(".*(?P<t>aa)+.*(?P<other>.*)$", id="freedom-outside"),
        pytest.param("(?P<other>x(?P<t>aa)y*)", id="freedom-around"),
        pytest.param("(?P<t>aé|日本)", id="characters"),
    ],
)
def test_lists_of_texts_are_safe(pattern):
    re2.compile(pattern)
    check_endpoint_safety(PLACEHOLDERS, {"issuer_regex": pattern})


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("^https://(?P<t>[a-z]+)$", id="class"),
        pytest.param("(?P<t>aa)[a-z]", id="class-elsewhere"),
        pytest.param(r"(?P<t>\w)", id="word"),
        pytest.param(r"(?P<t>aa)\d", id="digit-elsewhere"),
        pytest.param(r"(?P<t>aa)\pL", id="property-elsewhere"),
        pytest.param(r"(?P<t>aa)\S", id="no-space-elsewhere"),
        pytest.param("(?P<t>.)", id="any"),
        pytest.param("(?P<t>a|.)", id="any-as-alternative"),
        pytest.param("(?P<t>a*)", id="star"),
        pytest.param("(?P<t>a+)", id="plus"),
        pytest.param("(?P<t>ab?)", id="optional"),
        pytest.param("(?P<t>a{2})", id="repeated"),
        pytest.param("(?P<t>a{2,})", id="repeated-at-least"),
        pytest.param("(?P<t>(?:a|b)+)", id="group-repeated"),
        pytest.param("(?P<t>a(b(?:c(?P<u>d.))))", id="deep-inside"),
        pytest.param("(?P<t>^a)", id="begin"),
        pytest.param("(?P<t>a$)", id="end"),
        pytest.param(r"(?P<t>\Aa\z)", id="begin-and-end-of-text"),
        pytest.param(r"(?P<t>\ba)", id="word-boundary"),
        pytest.param(r"(?P<t>\Qa\E.)", id="behind-quoted"),
        pytest.param(r"(?P<t>\\.)", id="behind-a-backslash"),
        pytest.param("(?P<t>(?s:.))", id="flags"),
    ],
)
def test_what_lets_tokens_choose_is_not(pattern):
    re2.compile(pattern)
    check_endpoint_safety(frozenset(), {"issuer_regex": pattern})
    with pytest.raises(TokenSettingsError, match=r"value1\|value2\|value3") as refused:
        check_endpoint_safety(PLACEHOLDERS, {"issuer_regex": "", "audience_regex": pattern})
    assert refused.value.key == "audience_regex"


def test_groups_that_are_no_placeholders_may_match_anything():
    check_endpoint_safety(frozenset({"t"}), {"issuer_regex": "(?P<t>a)(?P<u>.*)"})
