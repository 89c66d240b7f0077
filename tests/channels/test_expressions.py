"""Expressions: their variables, and that only true grants (03 §14.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from fanjet.channels.expressions import Expression, expressions_of
from fanjet.config.cel import ExpressionError
from fanjet.config.tree.channel import ChannelOptions
from fanjet.protocol.capability import Capability


@dataclass
class Principal:
    user: str = "u1"
    capabilities: Sequence[Capability] = ()
    meta: bytes = b""
    labels: Mapping[str, str] | None = None


def granted(expression: str, principal: Principal, *, subscribed: bool = False) -> bool:
    return Expression(expression).grants(principal, "/users/4", {"user": "4"}, subscribed=subscribed)


ADMIN = Principal(meta=b'{"roles": ["admin"], "level": 3, "nothing": null, "on": true}', labels={"tier": "pro"})


@pytest.mark.parametrize(
    ("expression", "principal", "expected"),
    [
        pytest.param("'admin' in meta.roles", ADMIN, True, id="03-50-meta"),
        pytest.param("'admin' in meta.roles", Principal(), False, id="03-50-without-meta"),
        pytest.param("'root' in meta.roles", ADMIN, False, id="not-in-list"),
        pytest.param("vars.user == user || 'admin' in meta.roles", ADMIN, True, id="other-side-of-or"),
        pytest.param("vars.user == user || 'admin' in meta.roles", Principal("4"), True, id="errors-give-way-to-true"),
        pytest.param("channel == '/users/' + vars.user", Principal(), True, id="channel-and-vars"),
        pytest.param("vars.other == 'x'", Principal(), False, id="missing-variable"),
        pytest.param("'tier' in labels && labels.tier == 'pro'", ADMIN, True, id="label"),
        pytest.param("'tier' in labels && labels.tier == 'pro'", Principal(), False, id="no-labels"),
        pytest.param("labels.region == 'eu'", ADMIN, False, id="missing-label"),
        pytest.param("labels.region == 'eu' || true", ADMIN, True, id="missing-label-does-not-matter"),
        pytest.param("size(labels) == 0", Principal(), True, id="labels-are-always-a-map"),
        pytest.param("!subscribed", Principal(), True, id="not-subscribed"),
        pytest.param("user == ''", Principal(""), True, id="anonymous"),
        pytest.param("meta.level > 2", ADMIN, True, id="number"),
        pytest.param("meta.level == 3 && meta.level == 3.0", ADMIN, True, id="whole-number"),
        pytest.param("meta.level + 0.5 > 3.0", ADMIN, True, id="numbers-are-doubles"),
        pytest.param("meta.nothing == null", ADMIN, True, id="null"),
        pytest.param("meta.on", ADMIN, True, id="boolean-member"),
        pytest.param("meta.level", ADMIN, False, id="member-that-is-no-boolean"),
        pytest.param("meta.level", Principal(meta=b'{"level": "true"}'), False, id="text-is-no-boolean"),
        pytest.param("size(meta) == 0", Principal(meta=b"null"), True, id="null-is-no-meta"),
        pytest.param("true", Principal(meta=b"[1]"), False, id="meta-that-is-no-object"),
        pytest.param("true", Principal(meta=b'"x"'), False, id="meta-that-is-text"),
        pytest.param("meta.n > 1", Principal(meta=b'{"n": 123456789012345678901234567890}'), True, id="large-number"),
        pytest.param("user == 'x'", Principal("\ud800"), False, id="half-surrogate"),
        pytest.param("has(meta.a)", Principal(meta=b'{"a":' * 100_000 + b"1" + b"}" * 100_000), False, id="deep-meta"),
        pytest.param("user.matches('^u[0-9]$')", Principal(), True, id="matches"),
        pytest.param("channel.startsWith('/users')", Principal(), True, id="starts-with"),
    ],
)
def test_only_true_grants(expression, principal, expected):
    assert granted(expression, principal) is expected


def test_subscribed_tells_whether_the_connection_is_subscribed():
    assert granted("subscribed", Principal(), subscribed=True)
    assert not granted("subscribed", Principal())


def test_options_have_an_expression_for_each_operation():
    made = expressions_of(ChannelOptions(subscribe_cel="true", presence_cel="false"))
    assert isinstance(made.subscribe, Expression)
    assert isinstance(made.presence, Expression)
    assert made.publish is None
    assert made.history is None
    assert expressions_of(ChannelOptions()) is expressions_of(ChannelOptions(presence=True))


def test_invalid_expressions_do_not_become_permissions():
    with pytest.raises(ExpressionError):
        expressions_of(ChannelOptions(publish_cel="user ="))
