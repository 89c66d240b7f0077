"""Channels covered by capabilities (03 §14.1)."""

import pytest

from fanjet.channels.capabilities import grants
from fanjet.protocol.capability import Capability

CAPS_48 = [Capability(["n:*"], "wildcard", ["sub"]), Capability(["n:1"], "", ["pub"])]


@pytest.mark.parametrize(
    ("operation", "channel", "granted"),
    [
        ("sub", "n:1", True),
        ("sub", "n:2", True),
        ("pub", "n:1", True),
        ("pub", "n:2", False),
        ("sub", "m:1", False),
        ("hst", "n:1", False),
    ],
)
def test_entries_add_up(operation, channel, granted):  # 03-48
    assert grants(CAPS_48, operation, channel) is granted
    assert grants(list(reversed(CAPS_48)), operation, channel) is granted


@pytest.mark.parametrize(
    ("match", "pattern", "channel", "covered"),
    [
        pytest.param("", "news", "news", True, id="exact"),
        pytest.param("", "news", "News", False, id="exact-case"),
        pytest.param("", "n*", "news", False, id="exact-has-no-wildcards"),
        pytest.param("wildcard", "*", "", True, id="wildcard-all"),
        pytest.param("wildcard", "news:*", "news:a/b:c\n", True, id="wildcard-any-run"),
        pytest.param("wildcard", "news:?", "news:é", True, id="wildcard-one-character"),
        pytest.param("wildcard", "news:?", "news:", False, id="wildcard-one-and-not-none"),
        pytest.param("wildcard", "a*z", "abcz!", False, id="wildcard-whole"),
        pytest.param("wildcard", "a.c", "abc", False, id="wildcard-other-characters-are-literal"),
        pytest.param("wildcard", "[ab]{c,d}\\*", "[ab]{c,d}\\x", True, id="wildcard-no-classes-no-escapes"),
        pytest.param("regex", "^posts_[\\d]+$", "posts_42", True, id="regex"),
        pytest.param("regex", "osts", "posts_x", True, id="regex-anywhere"),
        pytest.param("regex", "^posts_[\\d]+$", "posts_x", False, id="regex-no-match"),
        pytest.param("regex", "(", "(", False, id="regex-invalid"),
        pytest.param("regex", "(?=a)a", "a", False, id="regex-not-re2"),
        pytest.param("doublestar", "/a/*/c", "/a/b/c", True, id="doublestar-one-segment"),
        pytest.param("doublestar", "/a/*", "/a/b/c", False, id="doublestar-one-segment-only"),
        pytest.param("doublestar", "/a/**", "/a/b/c", True, id="doublestar-crosses"),
        pytest.param("doublestar", "/a?c", "/a/c", False, id="doublestar-one-character-of-a-segment"),
        pytest.param("prefix", "news", "news", False, id="unknown-match-type"),
    ],
)
def test_matching(match, pattern, channel, covered):
    assert grants([Capability([pattern], match, ["sub"])], "sub", channel) is covered


def test_any_of_several_channels_will_do():
    capability = Capability(["a", "b:*"], "wildcard", ["sub"])
    assert [grants([capability], "sub", channel) for channel in ("a", "b:1", "c")] == [True, True, False]


def test_nothing_grants_nothing():
    assert not grants([], "sub", "a")
    assert not grants([Capability()], "", "")


def test_patterns_that_backtrack_elsewhere_are_harmless():
    assert not grants([Capability(["*a" * 50 + "b"], "wildcard", ["sub"])], "sub", "a" * 250)
