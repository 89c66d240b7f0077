"""Requests whose body is not there. Their endpoints judge the head all the same, and say by asking for the body that it
would have been needed: what goes with the refusal (CORS headers, say) is their business, and so is whether a client
that waits for leave to send its body gets it (02 §3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .request import Request

if TYPE_CHECKING:
    from ..router import Endpoint


class BodyNotThere(Exception):  # noqa: N818 (not always an error)
    """The body was asked for. Raised before anything has come of the request."""


class BodyAwaited(BodyNotThere):
    """The client sends the body once it is told to go on; then the endpoint is asked again, about the whole request."""

    go_on: Endpoint | None = None
    """Who is asked then in its place, to be set by one that may not do again what it has done already."""


class UnreadableBody(BodyNotThere):
    """There will be no body: what came is not framed as bodies are."""


class BodyTooLarge(UnreadableBody):
    """There will be no body: it is over the limit of its route."""


class BodyInPieces(BodyNotThere):
    """There will be no whole body: its endpoint takes pieces."""


class UnreadRequest(Request, frozen=True, eq=False):
    """A request without its body; `Request.body` is as fast as it can be, hence a class of their own."""

    reason: type[BodyNotThere]
    """A class: an exception holds on to the frames that it passed, and they to the request, in a cycle."""

    @property  # type: ignore[misc]  # never set
    def body(self) -> bytes:
        """Raises `BodyNotThere`."""
        raise self.reason()
