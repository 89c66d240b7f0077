"""The memory engine in a separate process, shared by several workers.

Both sides are here: the workers' client and the server (`process.py`).
"""

from .broker import SharedBroker
from .controller import SharedController
from .engine_client import EngineClient
from .presence import SharedPresenceManager

__all__ = ["EngineClient", "SharedBroker", "SharedController", "SharedPresenceManager"]
