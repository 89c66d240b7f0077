"""Reports application replies that have keys, but no known one.

Such a reply allows the operation, and nearly always by mistake (06 §4.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class UnknownReply(NamedTuple):
    """One such reply: which proxy got it, about which client, and what its keys are."""

    event_type: str
    proxy_name: str
    endpoint: str
    client: str
    keys: tuple[str, ...]


class UnknownReplies:
    """Passes each reply on to `observers`, which must not raise."""

    def __init__(self) -> None:
        self.observers: list[Callable[[UnknownReply], None]] = []

    def report(self, reply: UnknownReply) -> None:
        """Call all observers."""
        for observe in self.observers:
            observe(reply)
