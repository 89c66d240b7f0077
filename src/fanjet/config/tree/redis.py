"""The connection to Redis that several sections embed (04 §5.3)."""

from fanjet.config.tree.base import Duration, Section, option
from fanjet.config.tree.tls import Tls


class ReplicaClient(Section):
    """What is done on replicas where an option asks for it."""

    enabled: bool = option(
        False, "find the replicas of a Cluster or of what Sentinels watch, for options that use them; nothing elsewhere"
    )


class RedisConnection(Section):
    """How to reach Redis: standalone, Sentinel or Cluster, one or several shards."""

    address: tuple[str, ...] = option(
        ("redis://127.0.0.1:6379",),
        "one entry per shard: host:port, or a URL (redis, rediss, tcp, unix, redis[s]+sentinel, redis+cluster)",
    )
    connect_timeout: Duration = option(1.0, "dial timeout")
    io_timeout: Duration = option(4.0, "read/write (request) timeout")
    db: int = option(0, "database number (not usable with Cluster)")
    user: str = option("", "ACL user")
    password: str = option("", "password")
    client_name: str = option("", "CLIENT SETNAME value")
    force_resp2: bool = option(False, "never try RESP3")
    cluster_address: tuple[str, ...] = option(
        (), "one entry per Cluster shard, seeds (host:port) comma-separated; replaces sentinel_address and address"
    )
    tls: Tls = Tls()
    sentinel_address: tuple[str, ...] = option(
        (), "one entry per Sentinel shard, seeds (host:port) comma-separated; replaces address"
    )
    sentinel_user: str = option("", "Sentinel ACL user")
    sentinel_password: str = option("", "Sentinel password")
    sentinel_master_name: str = option("", "monitored master name; mandatory with sentinel_address")
    sentinel_client_name: str = option("", "client name on Sentinel connections")
    sentinel_tls: Tls = Tls()
    replica_client: ReplicaClient = ReplicaClient()


class BrokerRedisConnection(RedisConnection):
    """What concerns brokers alone."""

    prefix: str = option("centrifugo", "prefix of all keys and PUB/SUB channels")
    history_use_lists: bool = option(
        False, "keep history in LISTs instead of STREAMs (no pagination, no reverse, no idempotency)"
    )
    sharded_pub_sub_partitions: int = option(
        0, "partitions of sharded PUB/SUB (Cluster, Redis ≥ 7), typically 64 to 128; changes the names of keys; 0 = off"
    )
    use_precomputed_partition_tags: bool = option(
        False,
        "spread partitions evenly over clusters of any size; their number must be a power of two from 16 to 4096",
    )
    group_sharded_pub_sub_by_node: bool = option(
        False, "one PUB/SUB connection for each node of the Cluster instead of one for each partition"
    )
    subscribe_on_replica: bool = option(
        False, "hear what is published from a replica; needs replica_client.enabled, and Sentinel or Cluster"
    )
