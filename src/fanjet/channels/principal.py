"""Who asks for something."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from fanjet.protocol.capability import Capability


class Principal(Protocol):
    """What decisions look at in a connection."""

    @property
    def user(self) -> str:
        """User id, empty for an anonymous connection."""

    @property
    def capabilities(self) -> Sequence[Capability]:
        """What its token or backend lets it do."""

    @property
    def meta(self) -> bytes:
        """JSON that the application attached, empty for none."""

    @property
    def labels(self) -> Mapping[str, str] | None:
        """Texts that the application attached."""
