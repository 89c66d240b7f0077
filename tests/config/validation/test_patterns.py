"""Rules about channel patterns and expressions, with what they say (03 §14.2, §14.3)."""

from typing import Any

import pytest

from fanjet.config import Config
from fanjet.config.validation.order import problems


def config(*namespaces: dict[str, Any], **channel: Any) -> Config:
    return Config.model_validate({"channel": {"patterns": True, "namespaces": namespaces, **channel}})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param(
            config({"name": "ns", "pattern": "room"}),
            'namespace ns: pattern: "room" must start with "/"',
            id="no-slash",
        ),
        pytest.param(
            config({"name": "ns", "pattern": "/a//b"}),
            'namespace ns: pattern: "/a//b" must not contain "//"',
            id="empty",
        ),
        pytest.param(
            config({"name": "n1", "pattern": "/a/:x"}, {"name": "n2", "pattern": "/a/:y"}),
            'namespace n2: pattern: "/a/:y" matches the same channels as that of namespace n1',
            id="same-structure",
        ),
        pytest.param(
            config(without_namespace={"pattern": "/a"}),
            'in channel.without_namespace: pattern: "/a" must be in a namespace',
            id="without-namespace",
        ),
        pytest.param(
            config({"name": "ns", "subscribe_cel": "nobody == 'x'"}),
            "namespace ns: subscribe_cel: invalid expression \"nobody == 'x'\": 1:1: undeclared reference to 'nobody' "
            "(in container '')",
            id="expression",
        ),
        pytest.param(
            config(without_namespace={"history_cel": "user"}),
            'in channel.without_namespace: history_cel: invalid expression "user": is string, not a boolean',
            id="expression-without-namespace",
        ),
    ],
)
def test_problems_name_key_value_and_reason(given, problem):
    assert list(problems(given)) == [problem]


def test_personal_channels_do_not_belong_to_patterns():
    given = config({"name": "ns", "pattern": "/a"}).model_dump()
    given["client"]["subscribe_to_user_personal_channel"] = {"enabled": True, "personal_channel_namespace": "ns"}
    assert list(problems(Config.model_validate(given))) == ["namespace for user personal channel has a pattern: ns"]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(config({"name": "n1", "pattern": "/a/:x"}, {"name": "n2", "pattern": "/a/b"}), id="static"),
        pytest.param(config({"name": "n1", "pattern": "/a/:x"}, {"name": "n2", "pattern": "/a/x:x"}), id="prefix"),
        pytest.param(
            config({"name": "n1", "pattern": "x"}, patterns=False, without_namespace={"pattern": "y"}), id="off"
        ),
        pytest.param(
            config({"name": "n1", "subscribe_cel": "vars.user == user or 'admin' in meta.roles"}), id="documented"
        ),
        pytest.param(config({"name": "n1", "publish_cel": "subscribed", "presence_cel": "meta.x"}), id="expressions"),
    ],
)
def test_what_is_right_is_accepted(given):
    assert list(problems(given)) == []
