"""The memory engine: streams and presence in one process (07 §3).

No call waits: every coroutine ends in its first step, so that a caller that steps it eagerly needs no task. All calls
run on one event loop, which makes each of them atomic.
"""

from .broker import MemoryBroker
from .presence import MemoryPresenceManager

__all__ = ["MemoryBroker", "MemoryPresenceManager"]
