"""The identity that permission checks are made for."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from fanjet.protocol.capability import Capability


class Principal(Protocol):
    """The facts about a connection that permissions depend on."""

    @property
    def user(self) -> str:
        """User id, empty for an anonymous connection."""

    @property
    def capabilities(self) -> Sequence[Capability]:
        """Capabilities from its token or backend."""

    @property
    def meta(self) -> bytes:
        """JSON set by the application, empty for none."""

    @property
    def labels(self) -> Mapping[str, str] | None:
        """Labels set by the application."""
