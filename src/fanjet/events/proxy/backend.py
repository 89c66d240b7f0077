"""A backend as a proxy sees it, whatever way it is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from fanjet.events.event import Event

    from .requests import Request
    from .responses import Response

R_co = TypeVar("R_co", bound="Response", covariant=True)


class BackendFailed(Exception):  # noqa: N818 (says what has happened)
    """It could not be asked or did not give an answer (06 §4.4); the text is for the log."""


class Backend(Protocol[R_co]):
    """Where the questions of one kind go to."""

    @property
    def protocol(self) -> str:
        """`http` or `grpc`."""

    async def call(self, request: Request, event: Event) -> R_co:
        """Ask once. Raises `BackendFailed`. Being cancelled gives the call up."""

    async def close(self) -> None:
        """Let the connections go."""
