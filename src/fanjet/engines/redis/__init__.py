"""Broker, presence manager and controller on Redis (07 §4-12)."""

from .broker import RedisBroker
from .controller import RedisController
from .presence import RedisPresenceManager
from .pubsub.broker_pubsub import PubSubOptions
from .pubsub.partitions import partition_tags
from .shards import Shards

__all__ = ["PubSubOptions", "RedisBroker", "RedisController", "RedisPresenceManager", "Shards", "partition_tags"]
