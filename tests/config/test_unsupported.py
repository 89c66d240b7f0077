"""Features that are not built refuse the start by the name of their key; maps and shared poll only warn."""

import pytest

from fanjet.config import Config, ConfigError
from fanjet.config.unsupported import UNSUPPORTED, refuse_unsupported, unsupported_warnings


def config(**content):
    return Config.model_validate(content)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        pytest.param({"broker": {"enabled": True, "type": "postgres"}}, "broker.type", id="broker"),
        pytest.param(
            {"consumers": [{"name": "cc", "type": "kafka", "enabled": True}]}, "consumers.cc.enabled", id="consumer"
        ),
    ],
)
def test_a_used_feature_is_refused_by_the_name_of_its_key(content, key):
    with pytest.raises(ConfigError, match=f"^{key}: .*not available in this version of Fanjet$"):
        refuse_unsupported(config(**content))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"opentelemetry": {"enabled": False}, "engine": {"type": "memory"}}, id="defaults-written-out"),
        pytest.param({"broker": {"type": "nats"}}, id="broker-off"),
        pytest.param({"client": {"user_id_http_header": "X-User"}}, id="built"),
        pytest.param({"client": {"token": {"audience": "a", "issuer": "b", "user_id_claim": "c"}}}, id="hmac-claims"),
        pytest.param({"health": {"enabled": True}, "init": {"enabled": True}}, id="small-endpoints"),
        pytest.param({"consumers": [{"name": "cc", "type": "kafka"}]}, id="consumer-off"),
    ],
)
def test_what_uses_nothing_unbuilt_starts(content):
    refuse_unsupported(config(**content))


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param(
            {"channel": {"namespaces": [{"name": "ns", "subscription_type": "map"}]}},
            "channel.namespaces.ns.subscription_type",
            id="namespace",
        ),
        pytest.param({"map_broker": {"type": "redis"}}, "map_broker.type", id="map-broker"),
        pytest.param({"shared_poll": {"hmac_secret_key": "x"}}, "shared_poll.hmac_secret_key", id="shared-poll"),
        pytest.param(
            {"channel": {"without_namespace": {"map": {"mode": "ephemeral"}}}},
            "channel.without_namespace",
            id="options",
        ),
        pytest.param(
            {"channel": {"namespaces": [{"name": "ns", "map_users_presence_channel_prefix": "x:"}]}},
            "channel.namespaces.ns.map_users_presence_channel_prefix",
            id="presence-prefix",
        ),
    ],
)
def test_maps_and_shared_poll_are_accepted_with_a_warning(content, place):
    refuse_unsupported(config(**content))
    (warning,) = unsupported_warnings(config(**content))
    assert warning.startswith(f"{place}: ")


def test_defaults_use_none_of_the_rows():
    assert [row.key for row in UNSUPPORTED if row.is_used(Config())] == []
    assert list(unsupported_warnings(Config())) == []
