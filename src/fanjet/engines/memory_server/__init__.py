"""The memory engine in a process of its own, for several workers: their side of it (`process.py` is the other)."""

from .broker import SharedBroker
from .controller import SharedController
from .engine_client import EngineLink
from .presence import SharedPresenceManager

__all__ = ["EngineLink", "SharedBroker", "SharedController", "SharedPresenceManager"]
