"""Engines of namespaces (07 §22.1)."""

import pytest

from fanjet.config import Config
from fanjet.config.validation.order import problems

REDIS = {"name": "rr", "type": "redis", "enabled": True}


def namespaces(**options: object) -> dict:
    return {"namespaces": [{"name": "ns", **options}]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            {"channel": namespaces(broker_name="rr")},
            "namespace ns: broker_name: there is none enabled with the name rr",
            id="unknown-broker",
        ),
        pytest.param(
            {"channel": namespaces(broker_name="rr"), "brokers": [REDIS | {"enabled": False}]},
            "namespace ns: broker_name: there is none enabled with the name rr",
            id="disabled-broker",
        ),
        pytest.param(
            {"channel": {"without_namespace": {"presence_manager_name": "rr"}}},
            "in channel.without_namespace: presence_manager_name: there is none enabled with the name rr",
            id="unknown-presence-manager",
        ),
        pytest.param({"brokers": [REDIS, REDIS]}, "broker name must be unique: rr", id="repeated-broker"),
        pytest.param(
            {"presence_managers": [REDIS, REDIS]}, "presence manager name must be unique: rr", id="repeated-manager"
        ),
        pytest.param(
            {"brokers": [REDIS | {"name": "a b"}]},
            "invalid broker name: a b (must match ^[-a-zA-Z0-9_.]{2,}$ regular expression)",
            id="name",
        ),
        pytest.param({"brokers": [REDIS | {"type": "memory"}]}, "broker rr: unknown type: memory", id="broker-type"),
        pytest.param(
            {"presence_managers": [REDIS | {"type": "nats"}]},
            "presence manager rr: unknown type: nats",
            id="presence-manager-type",
        ),
    ],
)
def test_unusable_engines_are_refused(content, expected):
    assert list(problems(Config.model_validate(content))) == [expected]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"channel": namespaces(broker_name="rr"), "brokers": [REDIS]}, id="broker"),
        pytest.param({"brokers": [{"name": "rr"}]}, id="one-that-is-off-needs-no-type"),
        pytest.param(
            {"channel": namespaces(presence_manager_name="rr"), "presence_managers": [REDIS]}, id="presence-manager"
        ),
    ],
)
def test_usable_engines_are_not(content):
    assert list(problems(Config.model_validate(content))) == []
