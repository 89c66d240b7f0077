"""The embedded engine: streams and presence in the memory of one process (07 §3).

Nothing here waits: every call is a coroutine that ends in its first step, so that a caller who steps it by hand needs
no task. All of it runs on one event loop, which is what makes each call atomic.
"""

from .broker import MemoryBroker
from .presence import MemoryPresenceManager

__all__ = ["MemoryBroker", "MemoryPresenceManager"]
