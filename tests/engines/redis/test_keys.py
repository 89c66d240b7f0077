"""Keys, PUB/SUB channels, sharding and slots (07 §4.5, §5)."""

import pytest

from fanjet.engines.redis.keys import ChannelKeys, NodeChannels, PartitionedKeys, StorageOnlyKeys
from fanjet.engines.redis.pubsub.partitions import partition_tags, precomputed_tags
from fanjet.engines.redis.sharding import fnv1a_64, jump_hash
from fanjet.engines.redis.topology.slots import slot_of


@pytest.mark.parametrize(
    ("channel", "fnv", "shards"),
    [
        ("", "cbf29ce484222325", [1, 1, 1, 17, 90]),
        ("chat:index", "4e648ca6baf3d6b9", [0, 0, 0, 58, 78]),
        ("news", "e5495bbaa03a6526", [1, 2, 3, 61, 81]),
        ("user#42", "b99d91a5089d7a45", [1, 2, 2, 13, 69]),
        ("personal:user-17", "b51f3f87d7049be9", [0, 0, 5, 37, 37]),
        ("канал", "5ba05fa0749d2d79", [1, 2, 6, 36, 36]),
    ],
)
def test_shard_indices(channel, fnv, shards):
    assert f"{fnv1a_64(channel.encode()):x}" == fnv
    assert [jump_hash(channel, count) for count in (2, 3, 8, 64, 128)] == shards
    assert jump_hash(channel, 1) == 0


def all_names(names: ChannelKeys) -> list[str]:
    return [
        names.pubsub_channel("chat:1"),
        names.stream("chat:1"),
        names.stream_meta("chat:1"),
        names.list("chat:1"),
        names.list_meta("chat:1"),
        names.result("chat:1", "key"),
        *names.presence("chat:1"),
    ]


def test_keys_of_a_standalone_server():
    assert all_names(ChannelKeys("p", tagged=False)) == [
        "p.client.chat:1",
        "p.stream.chat:1",
        "p.stream.meta.chat:1",
        "p.list.chat:1",
        "p.list.meta.chat:1",
        "p.result.chat:1.key",
        "p.presence.data.chat:1",
        "p.presence.expire.chat:1",
        "p.presence.user.clients.chat:1",
        "p.presence.user.expire.chat:1",
    ]


def test_keys_of_a_channel_share_a_slot_in_a_cluster():
    names = all_names(ChannelKeys("p", tagged=True))
    assert names == [
        "p.client.{chat:1}",
        "p.stream.{chat:1}",
        "p.stream.meta.{chat:1}",
        "p.list.{chat:1}",
        "p.list.meta.{chat:1}",
        "p.result.{chat:1}.key",
        "p.presence.data.{chat:1}",
        "p.presence.expire.{chat:1}",
        "p.presence.user.clients.{chat:1}",
        "p.presence.user.expire.{chat:1}",
    ]
    assert {slot_of(name) for name in names} == {slot_of("chat:1")}


def test_keys_of_a_partition_share_a_slot():
    names = all_names(PartitionedKeys("p", partition_tags(64, precomputed=False)))
    tag = jump_hash("chat:1", 64)
    assert names == [
        f"p.client.{{{tag}}}.chat:1",
        f"p.stream.{{{tag}}}.chat:1",
        f"p.stream.meta.{{{tag}}}.chat:1",
        f"p.list.{{{tag}}}.chat:1",
        f"p.list.meta.{{{tag}}}.chat:1",
        f"p.result.{{{tag}}}.chat:1.key",
        "p.presence.data.{chat:1}",
        "p.presence.expire.{chat:1}",
        "p.presence.user.clients.{chat:1}",
        "p.presence.user.expire.{chat:1}",
    ]
    assert {slot_of(name) for name in names[:6]} == {slot_of(str(tag))}


def test_storage_only_keys_have_no_pubsub_channel():
    plain = all_names(ChannelKeys("p", tagged=True))
    assert all_names(StorageOnlyKeys("p", tagged=True)) == ["", *plain[1:]]


def test_partition_tags():
    assert partition_tags(0, precomputed=True) == ()
    assert partition_tags(3, precomputed=False) == ("0", "1", "2")
    assert partition_tags(16, precomputed=True)[:2] == ("ms3", "mws")
    assert list(precomputed_tags()) == [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]


@pytest.mark.parametrize("count", [16, 64, 256])
def test_precomputed_tags_are_spread_evenly_over_clusters_of_any_size(count):
    slots = [slot_of(word) for word in partition_tags(count, precomputed=True)]
    for size in range(1, count + 1):
        share, larger = divmod(16384, size)
        ends = [(node + 1) * share + min(node + 1, larger) for node in range(size)]
        counts = [sum(start <= slot < end for slot in slots) for start, end in zip([0, *ends], ends, strict=False)]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(("key", "slot"), [("123456789", 12739), ("foo", 12182), ("a{foo}b", 12182), ("{}foo", 9500)])
def test_slots(key, slot):
    assert slot_of(key) == slot


def test_node_channels():
    names = NodeChannels("p", "u")
    assert [names.service, names.control, names.own, names.node("v"), names.probe] == [
        "p.shard.0",
        "p.control",
        "p.node.u",
        "p.node.v",
        "p.node.u.probe",
    ]
    assert names.service_of("t") == "p.shard.0.{t}"
    assert names.probe_of("t") == "p.node.u.probe.{t}"
