import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.net.glob import NO_TEXT, GlobError, compile_glob


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        pytest.param("", [""], ["a"], id="empty"),
        pytest.param("*", ["", "a", "a/b.c", "a\nb"], [], id="star"),
        pytest.param("**", ["", "https://a.b:80"], [], id="two-stars"),
        pytest.param("a?c", ["abc", "a/c", "aéc"], ["ac", "abbc"], id="one-character"),
        pytest.param("[abc]", ["a", "c"], ["d", ""], id="class"),
        pytest.param("[!abc]", ["d", "é"], ["a", ""], id="negated-class"),
        pytest.param("[a-c]x", ["ax", "bx"], ["dx"], id="range"),
        pytest.param("[!a-c]", ["d"], ["b"], id="negated-range"),
        pytest.param("[-a]", ["-", "a"], ["b"], id="dash-first"),
        pytest.param("[abc-z]", ["-", "z", "c"], ["d"], id="dash-in-list"),
        pytest.param(r"[a\-z]", ["a", "-", "z"], ["b", "\\"], id="escaped-dash"),
        pytest.param(r"[\]]", ["]"], ["\\"], id="escaped-bracket"),
        pytest.param("[*?{]", ["*", "?", "{"], ["a"], id="specials-in-class"),
        pytest.param("[^a]", ["^", "a"], ["b"], id="caret-is-nothing-special"),
        pytest.param("{a,b}", ["a", "b"], ["c", "a,b", ""], id="alternatives"),
        pytest.param("{a,}x", ["x", "ax"], ["bx"], id="empty-alternative"),
        pytest.param("{a,{b,c}d}e", ["ae", "bde", "cde"], ["e", "be"], id="nested"),
        pytest.param("{*.a,b*}", ["x.a", "bcd"], ["c"], id="stars-in-alternatives"),
        pytest.param("{[,],a}", [",", "a"], ["[,]"], id="class-in-alternatives"),
        pytest.param(r"{\,,b}", [",", "b"], [], id="escaped-comma"),
        pytest.param("{a,b", ["a", "b"], ["{a,b"], id="open-braces"),
        pytest.param("a,b}]", ["a,b}]"], ["a"], id="plain-outside"),
        pytest.param(r"\*", ["*"], ["a", r"\*"], id="escape"),
        pytest.param("a\\", ["a"], ["a\\"], id="escape-at-the-end"),
        pytest.param("a.c|d(e)+$", ["a.c|d(e)+$"], ["abc|d(e)+$"], id="regex-specials-are-plain"),
        pytest.param("https://*.example.org", ["https://a.b.example.org"], ["https://example.org"], id="origin"),
        pytest.param("*.example.org", ["https://x.example.org"], ["example.org"], id="any-scheme"),
    ],
)
def test_matches(pattern, matching, other):
    matches = compile_glob(pattern)
    assert [text for text in matching if not matches(text)] == []
    assert [text for text in other if matches(text)] == []


@pytest.mark.parametrize(
    "pattern",
    ["[", "[a", "[]", "[!]", "[a-", "[a-c", "[a-]", "[z-a]", "[a-c0-9]", "[\\", "{[a,b}", "{" * 1000, "a\ufffd"],
)
def test_malformed_patterns_are_refused(pattern):
    with pytest.raises(GlobError):
        compile_glob(pattern)


@given(st.text().filter(lambda text: NO_TEXT not in text))
def test_an_escaped_text_matches_itself_only(text):
    matches = compile_glob("".join("\\" + character for character in text))
    assert matches(text)
    assert not matches(text + "x")


@given(st.text(alphabet="ab*?[]{},!-\\é\n"), st.text(alphabet="ab,-é\n"))
def test_any_pattern_compiles_or_is_refused(pattern, text):
    try:
        matches = compile_glob(pattern)
    except GlobError:
        return
    assert matches(text) in (True, False)


def test_many_stars_do_not_take_exponential_time():
    matches = compile_glob("*a" * 30 + "b")
    started = time.process_time()
    assert not matches("a" * 5000)
    assert time.process_time() - started < 1
