"""Checks made only when the server starts (04 §6.5)."""

import pytest

from fanjet.config import Config
from fanjet.config.validation import startup
from fanjet.config.validation.startup import StartupProblem, startup_problems

PING = {"ping_interval": "5s", "pong_timeout": "8s"}
READS = {"presence_read_from_replica": True}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            {"engine": {"type": "rabbit"}},
            StartupProblem("configure engines error", {"error": "unknown engine type: rabbit"}),
            id="engine",
        ),
        pytest.param(
            {"broker": {"enabled": True, "type": "redisnats"}},
            StartupProblem(
                "configure engines error", {"error": "redisnats broker requires enable_unreleased_features on"}
            ),
            id="redisnats",
        ),
        pytest.param(
            {"presence_manager": {"enabled": True, "type": "rabbit"}},
            StartupProblem("configure engines error", {"error": "unknown presence manager type: rabbit"}),
            id="presence-manager",
        ),
        pytest.param(
            {"controller": {"enabled": True}},
            StartupProblem(
                "configure engines error", {"error": "error creating controller: unknown controller type: "}
            ),
            id="controller",
        ),
        pytest.param(
            {"engine": {"type": "redis", "redis": {"sharded_pub_sub_partitions": -1}}},
            StartupProblem(
                "configure engines error", {"error": "engine.redis.sharded_pub_sub_partitions: must not be negative"}
            ),
            id="partitions",
        ),
        pytest.param(
            {
                "broker": {
                    "enabled": True,
                    "type": "redis",
                    "redis": {"sharded_pub_sub_partitions": 100, "use_precomputed_partition_tags": True},
                }
            },
            StartupProblem(
                "configure engines error",
                {
                    "error": "broker.redis.use_precomputed_partition_tags: sharded_pub_sub_partitions must be one of "
                    "16, 32, 64, 128, 256, 512, 1024, 2048, 4096"
                },
            ),
            id="partition-tags",
        ),
        pytest.param(
            {
                "broker": {"enabled": True, "type": "redisnats", "redis": {"sharded_pub_sub_partitions": 64}},
                "enable_unreleased_features": True,
            },
            StartupProblem(
                "configure engines error",
                {
                    "error": "broker.redis.sharded_pub_sub_partitions: redisnats publishes nothing through Redis",
                },
            ),
            id="partitions-without-messages",
        ),
        pytest.param(
            {
                "broker": {"enabled": True, "type": "redisnats", "redis": {"subscribe_on_replica": True}},
                "enable_unreleased_features": True,
            },
            StartupProblem(
                "configure engines error",
                {"error": "broker.redis.subscribe_on_replica: redisnats publishes nothing through Redis"},
            ),
            id="replicas-without-messages",
        ),
        pytest.param(
            {
                "brokers": [
                    {"name": "rr", "type": "redis", "enabled": True, "redis": {"group_sharded_pub_sub_by_node": True}}
                ]
            },
            StartupProblem(
                "configure engines error",
                {
                    "error": "brokers.rr.redis.group_sharded_pub_sub_by_node: sharded_pub_sub_partitions must be set",
                },
            ),
            id="groups-of-no-partitions",
        ),
        *(
            pytest.param(
                content,
                StartupProblem(
                    "configure engines error",
                    {
                        "error": f"{place}.presence_read_from_replica: needs presence_hash_field_ttl, without which "
                        "reading presence removes what has expired"
                    },
                ),
                id=f"reads-from-replicas-in-{place}",
            )
            for place, content in (
                ("engine.redis", {"engine": {"type": "redis", "redis": READS}}),
                ("presence_manager.redis", {"presence_manager": {"enabled": True, "type": "redis", "redis": READS}}),
                (
                    "presence_managers.rr.redis",
                    {"presence_managers": [{"name": "rr", "enabled": True, "type": "redis", "redis": READS}]},
                ),
            )
        ),
        pytest.param(
            {"client": {"ping_interval": 5.0}},
            StartupProblem("ping_interval must be greater than pong_timeout", PING),
            id="ping",
        ),
        pytest.param(
            {"http_api": {"error_mode": "x"}},
            StartupProblem("error in config", {"error": "invalid value: x, possible choices are: transport"}),
            id="error-mode",
        ),
        pytest.param(
            {"grpc_api": {"enabled": True, "error_mode": "x"}},
            StartupProblem(
                "error creating GRPC API server",
                {"error": "can't extract grpc error mode: invalid value: x, possible choices are: transport"},
            ),
            id="grpc-error-mode",
        ),
        pytest.param(
            {"webtransport": {"enabled": True}},
            StartupProblem("can not enable webtransport without experimental HTTP/3"),
            id="webtransport",
        ),
        pytest.param(
            {"http_server": {"http3": {"enabled": True}}}, StartupProblem("HTTP/3 requires TLS configured"), id="http3"
        ),
        pytest.param(
            {"http_server": {"http3": {"enabled": True}, "tls": {"enabled": True, "client_ca_pem": "ca.pem"}}},
            StartupProblem("HTTP/3 cannot verify client certificates: http_server.tls.client_ca_pem must be empty"),
            id="http3-client-certificates",
        ),
    ],
)
def test_a_start_is_refused(content, expected):
    assert list(startup_problems(Config.model_validate(content))) == [expected]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"client": {"ping_interval": -1.0, "pong_timeout": -2.0}}, id="pings-off"),
        pytest.param({"client": {"ping_interval": 5.0}, "websocket": {"disabled": True}}, id="no-transport"),
        pytest.param({"presence_manager": {"type": "rabbit"}}, id="presence-manager-off"),
        pytest.param({"broker": {"type": "redisnats"}}, id="redisnats-off"),
        pytest.param({"engine": {"redis": READS}}, id="replicas-off"),
        pytest.param({"engine": {"type": "redis", "redis": READS | {"presence_hash_field_ttl": True}}}, id="replicas"),
    ],
)
def test_a_start_goes_ahead(content):
    assert list(startup_problems(Config.model_validate(content))) == []


def test_what_is_wrong_with_tokens_comes_behind_the_engine_and_before_the_rest():
    config = Config.model_validate({"engine": {"type": "rabbit"}, "client": {"ping_interval": 5.0}})
    tokens = StartupProblem("error creating token verifier")
    assert [problem.message for problem in startup_problems(config, iter([tokens]))] == [
        "configure engines error",
        "error creating token verifier",
        "ping_interval must be greater than pong_timeout",
    ]


def test_http3_needs_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "find_spec", lambda name: None)
    config = Config.model_validate({"http_server": {"http3": {"enabled": True}, "tls": {"enabled": True}}})
    expected = "HTTP/3 needs the packages of the extra fanjet[http3], which are not installed"
    assert list(startup_problems(config)) == [StartupProblem(expected)]
