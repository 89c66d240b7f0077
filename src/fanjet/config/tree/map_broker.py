"""The map broker (04 §5.7)."""

from fanjet.config.tree.base import Duration, Section, option
from fanjet.config.tree.postgres import PostgresMapBroker
from fanjet.config.tree.redis import RedisConnection


class MapBrokerRedis(RedisConnection):
    """Redis as the map broker."""

    prefix: str = option("centrifugo", "prefix of all keys and PUB/SUB channels")
    cleanup_interval: Duration = option(1.0, "period of the expired-key cleanup worker; negative disables it")
    cleanup_batch_size: int = option(100, "entries per channel and cycle")
    idempotent_result_ttl: Duration = option(300.0, "lifetime of idempotency results")
    skip_pub_sub: bool = option(False, "only update data structures, do not publish")


class MapBroker(Section):
    """Keeps map channels; one always exists."""

    type: str = option("memory", "memory, redis or postgres")
    redis: MapBrokerRedis = MapBrokerRedis()
    postgres: PostgresMapBroker = PostgresMapBroker()
