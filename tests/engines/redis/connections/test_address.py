"""Addresses in all their forms (07 §4.1, §4.2)."""

import pytest

from fanjet.config import ConfigError
from fanjet.config.tree.redis import RedisConnection
from fanjet.engines.redis.connections.address import Address, Mode, parse_targets


def target_of(address: str, **settings):
    [target] = parse_targets(RedisConnection.model_validate({"address": [address], **settings}))
    return target


@pytest.mark.parametrize(
    ("address", "mode", "seeds"),
    [
        ("localhost:6380", Mode.DETECT, ["localhost:6380"]),
        ("[::1]:6380", Mode.DETECT, ["[::1]:6380"]),
        ("redis://localhost:6380", Mode.DETECT, ["localhost:6380"]),
        ("tcp://10.0.0.1:6380/2", Mode.DETECT, ["10.0.0.1:6380"]),
        ("unix:///run/redis.sock", Mode.DETECT, ["/run/redis.sock"]),
        ("unix://user:pass@/run/redis.sock", Mode.DETECT, ["/run/redis.sock"]),
        ("redis://a:1?addr=b:2&addr=c:3", Mode.DETECT, ["a:1", "b:2", "c:3"]),
        ("redis+cluster://a:1?addr=b:2", Mode.CLUSTER, ["a:1", "b:2"]),
        ("redis+sentinel://a:1?sentinel_master_name=m&addr=b:2", Mode.SENTINEL, ["a:1", "b:2"]),
        ("redis://a:1?sentinel_master_name=m", Mode.SENTINEL, ["a:1"]),
    ],
)
def test_mode_and_seeds(address, mode, seeds):
    target = target_of(address)
    assert target.mode is mode
    assert list(map(str, target.seeds)) == seeds


def test_a_url_overrides_the_other_keys():
    login = target_of(
        "redis://bob:se%2Fcret@h:1/3?connect_timeout=2s&io_timeout=500ms&force_resp2=1",
        user="alice",
        password="x",
        db=1,
        connect_timeout=9.0,
        client_name="me",
    ).login
    assert (login.user, login.password, login.db) == ("bob", "se/cret", 3)
    assert (login.connect_timeout, login.io_timeout, login.force_resp2) == (2.0, 0.5, True)
    assert login.client_name == "me"


def test_omitted_url_parts_come_from_the_other_keys():
    login = target_of("redis://h:1", user="alice", password="x", db=1).login
    assert (login.user, login.password, login.db, login.tls) == ("alice", "x", 1, None)


def test_a_zero_timeout_in_a_url_means_the_configured_one():
    login = target_of("redis://h:1?connect_timeout=0s&io_timeout=0s", connect_timeout=3, io_timeout=5).login
    assert (login.connect_timeout, login.io_timeout) == (3, 5)


@pytest.mark.parametrize("enabled", [False, True])
def test_replica_client_option(enabled):
    client = {"replica_client": {"enabled": enabled}}
    sentinel = {"sentinel_address": ["s:1"], "sentinel_master_name": "m"}
    for form in ({"address": ["h:1"]}, {"address": ["redis://h:1"]}, {"cluster_address": ["c:1"]}, sentinel):
        [target] = parse_targets(RedisConnection.model_validate(form | client))
        assert target.with_replicas is enabled
    assert target_of("redis+cluster://h:1?replica_client_enabled=true", **client).with_replicas
    assert not target_of("redis+cluster://h:1?replica_client_enabled=F", **client).with_replicas


def test_tls():
    assert target_of("rediss://h:1").login.tls is not None
    assert target_of("redis://h:1?tls_enabled=true").login.tls is not None
    assert target_of("redis://h:1?tls_enabled=F").login.tls is None
    sentinel = target_of("rediss+sentinel://h:1?sentinel_master_name=m&sentinel_user=u&sentinel_password=p")
    assert sentinel.sentinel_login.tls is not None
    assert (sentinel.sentinel_login.user, sentinel.sentinel_login.password) == ("u", "p")
    assert target_of("redis+sentinel://h:1?sentinel_master_name=m").sentinel_login.tls is None
    documented = target_of("redis+sentinel://h:1?sentinel_master_name=m", sentinel_tls={"enabled": True})
    assert documented.sentinel_login.tls is not None


def test_each_element_is_a_shard_in_order():
    config = RedisConnection.model_validate({"address": ["a:1", "b:2", "c:3"]})
    assert [each.seeds[0] for each in parse_targets(config)] == [Address("a", 1), Address("b", 2), Address("c", 3)]


def test_cluster_takes_precedence_over_sentinel_over_address():
    config = {"address": ["a:1"], "sentinel_address": ["s:1,t:2"], "sentinel_master_name": "m"}
    [sentinel] = parse_targets(RedisConnection.model_validate(config | {"sentinel_user": "u"}))
    assert (sentinel.mode, len(sentinel.seeds), sentinel.sentinel_login.user) == (Mode.SENTINEL, 2, "u")
    clusters = parse_targets(RedisConnection.model_validate(config | {"cluster_address": ["c:1,d:2", "e:3"]}))
    assert [(each.mode, len(each.seeds)) for each in clusters] == [(Mode.CLUSTER, 2), (Mode.CLUSTER, 1)]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"address": ["http://h:1"]}, "malformed connection address, must be Redis URL or host:port"),
        ({"address": ["localhost"]}, "malformed connection address, must be Redis URL or host:port"),
        ({"address": [":6379"]}, "malformed connection address, must be Redis URL or host:port"),
        ({"address": ["redis://127.0.0.1:6379/"]}, "can't parse Redis DB number .* / is not a number"),
        ({"address": ["redis://127.0.0.1:6379/x"]}, "can't parse Redis DB number .* /x is not a number"),
        ({"address": ["redis://localhost"]}, "no host:port: localhost"),
        ({"address": ["redis://h:1?addr=b"]}, "no host:port: b"),
        ({"address": ["redis+sentinel://h:1"]}, "sentinel master name must be configured"),
        ({"address": ["redis://h:1?connect_timeout=soon"]}, 'invalid connect timeout: "soon"'),
        ({"address": ["redis://h:1?io_timeout=5"]}, 'invalid io timeout: "5"'),
        ({"address": ["redis://h:1?tls_enabled=yes"]}, 'invalid tls_enabled value: "yes"'),
        ({"address": ["redis://h:1?force_resp2="]}, 'invalid force_resp2 value: ""'),
        ({"address": ["redis://h:1?replica_client_enabled=2"]}, 'invalid replica_client_enabled value: "2"'),
        ({"address": ["redis://[::1:1"]}, "malformed connection address, not a valid URL"),
        ({"cluster_address": ["a:1,b"]}, "malformed Redis Cluster address: b"),
        ({"sentinel_address": ["a"], "sentinel_master_name": "m"}, "malformed Redis Sentinel address: a"),
        ({"sentinel_address": ["a:1"]}, "master name must be set when using Redis Sentinel"),
    ],
)
def test_errors_name_the_problem(settings, text):
    with pytest.raises(ConfigError, match=text):
        parse_targets(RedisConnection.model_validate(settings))
