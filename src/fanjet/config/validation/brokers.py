"""Types of brokers (04 §6.1, rules 3 and 31)."""

from fanjet.config.tree.root import Config
from fanjet.config.validation.problem import Problems

BROKERS = ("memory", "nats", "redis", "redisnats", "postgres")
MAP_BROKERS = ("memory", "redis", "postgres")


def broker_type(config: Config) -> Problems:
    """The type is known, even when the broker is not enabled."""
    if config.broker.type not in BROKERS:
        yield f"unknown broker: {config.broker.type}"


def map_broker_type(config: Config) -> Problems:
    """The type is known."""
    if config.map_broker.type not in MAP_BROKERS:
        yield f"unknown map broker type: {config.map_broker.type}"
