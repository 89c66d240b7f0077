import pytest

from fanjet.net.glob import GlobError
from fanjet.net.origin import origin_predicate


@pytest.mark.parametrize(
    ("patterns", "origin", "allowed"),
    [
        pytest.param([], None, True, id="no-origin"),
        pytest.param([], b"", True, id="empty-origin"),
        pytest.param([], b"http://localhost:8000", False, id="same-origin-is-not-implied"),
        pytest.param(["*"], b"http://any", True, id="any"),
        pytest.param(["https://*.example.org"], b"https://A.Example.org", True, id="origin-is-lower-cased"),
        pytest.param(["https://*.example.org"], b"https://example.org", False, id="no-subdomain"),
        pytest.param(["https://*.example.org"], b"http://a.example.org", False, id="other-scheme"),
        pytest.param(["https://*.Example.org"], b"https://a.Example.org", False, id="pattern-is-not-lower-cased"),
        pytest.param(["https://a", "https://b"], b"https://b", True, id="second-pattern"),
        pytest.param(["null"], b"null", True, id="null"),
        pytest.param(["x", "*"], b"null", True, id="star-in-a-longer-list"),
        pytest.param(["https://a"], b"https://a\xff", False, id="not-utf-8"),
    ],
)
def test_origins(patterns, origin, allowed):
    assert origin_predicate(patterns)(origin) is allowed


def test_a_malformed_pattern_is_named():
    with pytest.raises(GlobError, match=r"https://\[a"):
        origin_predicate(["https://ok", "https://[a"])
