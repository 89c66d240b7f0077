"""Questions and notices of this server's own between nodes, beside those of the contract (07 §14.6, §14.7).

The reference's nodes answer that they do not know the question, and take no notice of notices.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from .registry import NodeInfo

Respond = Callable[[bytes], Awaitable[bytes]]
"""Answers a question."""

Hear = Callable[[str, bytes], None]
"""Takes a notice; the first argument is the node that it comes from."""


class Answers(Struct, frozen=True):
    """What nodes have answered, by their ids, and those that have not: too slow, or of another kind."""

    told: dict[str, bytes]
    silent: list[NodeInfo]


class Inquiries:
    """Who answers which question, and who hears which notice, on this node."""

    def __init__(self) -> None:
        self._respond: dict[str, Respond] = {}
        self._hear: dict[str, Hear] = {}

    def answer(self, name: str, respond: Respond) -> None:
        """From now on answer the question `name`."""
        self._respond[name] = respond

    def hear(self, name: str, listener: Hear) -> None:
        """From now on tell the listener of each notice `name`."""
        self._hear[name] = listener

    def respondent(self, name: str) -> Respond | None:
        """Who answers a question here, if anybody does."""
        return self._respond.get(name)

    def take_notice(self, name: str, sender: str, data: bytes) -> None:
        """A notice has come; those that nobody listens to mean nothing."""
        listener = self._hear.get(name)
        if listener is not None:
            listener(sender, data)
