"""The controller (04 §5.8, 07 §22.6)."""

from fanjet.config.tree.base import Section, option
from fanjet.config.tree.nats import NatsConnection
from fanjet.config.tree.postgres import PostgresController
from fanjet.config.tree.redis import RedisConnection


class ControllerRedis(RedisConnection):
    """Redis as the controller."""

    prefix: str = option("centrifugo", "prefix of all PUB/SUB channels")


class Controller(Section):
    """Carries control messages between nodes in place of the broker."""

    enabled: bool = option(False, "use a separate controller for node-to-node control messages")
    type: str = option("", "postgres, redis or nats; anything else while enabled is a start-up error")
    postgres: PostgresController = PostgresController()
    redis: ControllerRedis = ControllerRedis()
    nats: NatsConnection = NatsConnection()
