"""The engine: broker and presence manager in one (04 §5.4)."""

from fanjet.config.tree.base import Duration, Section, option
from fanjet.config.tree.redis import BrokerRedisConnection


class EngineRedis(BrokerRedisConnection):
    """Redis as the engine."""

    presence_ttl: Duration = option(60.0, "lifetime of a presence entry that is not refreshed")
    presence_hash_field_ttl: bool = option(False, "use per-field hash TTL (Redis ≥ 7.4)")
    presence_read_from_replica: bool = option(
        False, "read presence from replicas; needs replica_client.enabled and presence_hash_field_ttl"
    )
    presence_user_mapping: bool = option(False, "maintain an extra per-user hash so presence stats are cheap")


class Engine(Section):
    """Serves whichever of broker and presence manager is not enabled separately."""

    type: str = option(
        "memory", "memory or redis; used for whichever of broker / presence manager is not enabled separately"
    )
    redis: EngineRedis = EngineRedis()


class Singleflight(Section):
    """Identical reads at the same time."""

    enabled: bool = option(
        False, "concurrent identical reads of history and presence on one node share one call to the engine"
    )
