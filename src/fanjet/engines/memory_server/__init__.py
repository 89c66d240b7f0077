"""The memory engine in a separate process for several workers: client and server (`process.py`)."""

from .broker import SharedBroker
from .controller import SharedController
from .engine_client import EngineClient
from .presence import SharedPresenceManager

__all__ = ["EngineClient", "SharedBroker", "SharedController", "SharedPresenceManager"]
