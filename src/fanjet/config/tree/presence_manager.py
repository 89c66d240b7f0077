"""The presence manager (04 §5.6)."""

from fanjet.config.tree.base import Duration, Section, option
from fanjet.config.tree.redis import RedisConnection


class PresenceManagerRedis(RedisConnection):
    """Redis as the presence manager."""

    prefix: str = option("centrifugo", "prefix of all keys and PUB/SUB channels")
    presence_ttl: Duration = option(60.0, "lifetime of a presence entry that is not refreshed")
    presence_hash_field_ttl: bool = option(False, "use per-field hash TTL (Redis ≥ 7.4)")
    presence_read_from_replica: bool = option(
        False, "read presence from replicas; needs replica_client.enabled and presence_hash_field_ttl"
    )
    presence_user_mapping: bool = option(False, "maintain an extra per-user hash so presence stats are cheap")


class NamedPresenceManager(Section):
    """A presence manager of those namespaces that name it."""

    name: str = option("", "unique, ^[-a-zA-Z0-9_.]{2,}$; the value of presence_manager_name")
    enabled: bool = option(False, "open this presence manager")
    type: str = option("redis", "redis")
    redis: PresenceManagerRedis = PresenceManagerRedis()


class PresenceManager(Section):
    """Replaces the presence part of the engine."""

    enabled: bool = option(False, "use this manager instead of the presence part of the engine")
    type: str = option("memory", "memory or redis")
    redis: PresenceManagerRedis = PresenceManagerRedis()
