"""Redis in all its forms as broker, presence manager and controller (07 §4-12)."""

from .broker import RedisBroker
from .controller import RedisController
from .hearing import HearingOptions
from .partitions import tags
from .presence import RedisPresenceManager
from .shards import Shards

__all__ = ["HearingOptions", "RedisBroker", "RedisController", "RedisPresenceManager", "Shards", "tags"]
