"""Redis in all its forms as broker, presence manager and controller (07 §4-12)."""

from .broker import RedisBroker
from .controller import RedisController
from .presence import RedisPresenceManager
from .pubsub.broker_pubsub import HearingOptions
from .pubsub.partitions import tags
from .shards import Shards

__all__ = ["HearingOptions", "RedisBroker", "RedisController", "RedisPresenceManager", "Shards", "tags"]
