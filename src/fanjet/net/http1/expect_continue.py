"""Requests whose body is not there. Their endpoints judge the head all the same, and say by asking for the body that it
would have been needed: what goes with the refusal (CORS headers, say) is their business, and so is whether a client
that waits for leave to send its body gets it (02 §3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .request import Request

if TYPE_CHECKING:
    from ..router import Endpoint


class BodyUnavailable(Exception):  # noqa: N818 (not always an error)
    """The body was asked for. Raised before anything has come of the request."""


class ContinueRequired(BodyUnavailable):
    """The client sends the body once it is told to go on; then the endpoint is asked again, about the whole request."""

    endpoint: Endpoint | None = None
    """Who is asked then in its place, to be set by one that may not do again what it has done already."""


class UnreadableBody(BodyUnavailable):
    """There will be no body: what came is not framed as bodies are."""


class BodyTooLarge(UnreadableBody):
    """There will be no body: it is over the limit of its route."""


class BodyStreamed(BodyUnavailable):
    """There will be no whole body: its endpoint takes pieces."""


class BodylessRequest(Request, frozen=True, eq=False):
    """A request without its body; `Request.body` is as fast as it can be, hence a class of their own."""

    reason: type[BodyUnavailable]
    """A class: an exception holds on to the frames that it passed, and they to the request, in a cycle."""

    @property  # type: ignore[misc]  # never set
    def body(self) -> bytes:
        """Raises `BodyUnavailable`."""
        raise self.reason()
