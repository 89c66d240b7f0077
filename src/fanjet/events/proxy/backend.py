"""A backend as a proxy sees it, whatever way it is reached."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanjet.events.event import Event

    from .requests import Request
    from .responses import Response

R_co = TypeVar("R_co", bound="Response", covariant=True)


NO_CONTEXT: Final[Mapping[str, str]] = MappingProxyType({})
"""Nothing goes along."""


class BackendFailed(Exception):  # noqa: N818 (says what has happened)
    """It could not be asked or did not give an answer (06 §4.4); the text is for the log."""


class Backend(Protocol[R_co]):
    """Where the questions of one kind go to."""

    @property
    def protocol(self) -> str:
        """`http` or `grpc`."""

    async def call(self, request: Request, event: Event, context: Mapping[str, str] = NO_CONTEXT) -> R_co:
        """Ask once. Raises `BackendFailed`. Being cancelled gives the call up. `context`: headers that go along, with
        names in lower case; they replace what is forwarded."""

    async def close(self) -> None:
        """Let the connections go."""
