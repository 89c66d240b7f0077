"""Matching channels against patterns (03 §14.2)."""

import pytest

from fanjet.channels.patterns import PatternTable

TABLE = PatternTable(
    (pattern, pattern)
    for pattern in (
        "/:a",
        "/users/:name",
        "/users/mario",
        "/users/m:rest",
        "/:tenant/users/:user",
        "/:tenant/:what/static",
        "/acme/:what/:item",
        "/personal/user_:user",
        "/dots/a.b/:x",
        "/end/",
    )
)


@pytest.mark.parametrize(
    ("channel", "pattern", "variables"),
    [
        pytest.param("/users", "/:a", {"a": "users"}, id="one-segment"),
        pytest.param("/users/luigi", "/users/:name", {"name": "luigi"}, id="variable"),
        pytest.param("/users/mario", "/users/mario", {}, id="static-first"),
        pytest.param("/users/mary", "/users/m:rest", {"rest": "ary"}, id="longer-text-first"),
        pytest.param("/users/m", "/users/:name", {"name": "m"}, id="variables-are-not-empty"),
        pytest.param("/acme/users/7", "/acme/:what/:item", {"what": "users", "item": "7"}, id="text-in-front-first"),
        pytest.param("/x/users/7", "/:tenant/users/:user", {"tenant": "x", "user": "7"}, id="two-variables"),
        pytest.param(
            "/x/users/static", "/:tenant/users/:user", {"tenant": "x", "user": "static"}, id="position-by-position"
        ),
        pytest.param("/x/y/static", "/:tenant/:what/static", {"tenant": "x", "what": "y"}, id="static-end"),
        pytest.param("/personal/user_7", "/personal/user_:user", {"user": "7"}, id="within-a-segment"),
        pytest.param("/dots/a.b/1", "/dots/a.b/:x", {"x": "1"}, id="text-is-literal"),
        pytest.param("/end/", "/end/", {}, id="slash-at-the-end"),
        pytest.param("/a\nb", "/:a", {"a": "a\nb"}, id="any-character"),
    ],
)
def test_the_most_specific_pattern_applies(channel, pattern, variables):
    assert TABLE.find(channel) == (pattern, variables)


@pytest.mark.parametrize(
    "channel", ["/", "", "users", "/users/", "/personal/user_", "/dots/aXb/1", "/end/x", "/a/b/c/d", "/users/mario\n/"]
)
def test_what_does_not_match_is_not_found(channel):
    assert TABLE.find(channel) is None
