"""Interface of backends, independent of the protocol."""

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
"""No additional headers."""


class BackendFailed(Exception):  # noqa: N818 (says what has happened)
    """The call failed or got no valid response (06 §4.4); the text is for the log."""


class Backend(Protocol[R_co]):
    """Receives the requests of one event kind."""

    @property
    def protocol(self) -> str:
        """`http` or `grpc`."""

    async def call(self, request: Request, event: Event, context: Mapping[str, str] = NO_CONTEXT) -> R_co:
        """Send one request. Raises `BackendFailed`. Cancellation aborts the call.

        `context`: additional headers with lower-case names; they replace forwarded headers.
        """

    async def close(self) -> None:
        """Close the connections."""
