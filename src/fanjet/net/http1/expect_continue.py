"""Requests without their body, and 100 Continue.

Endpoints check the head of such a request first and raise by accessing the body that they need it. So they choose the
headers of a refusal, such as CORS, and whether a client that waits for 100 Continue may send the body (02 §3.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .request import Request

if TYPE_CHECKING:
    from ..router import Endpoint


class BodyUnavailable(Exception):  # noqa: N818 (not always an error)
    """The body was accessed. Raised before any response."""


class ContinueRequired(BodyUnavailable):
    """The body is required: the client sends it after 100 Continue.

    Then the endpoint is called again with the complete request.
    """

    endpoint: Endpoint | None = None
    """The endpoint to call then, set by wrappers that must not run twice."""


class UnreadableBody(BodyUnavailable):
    """The body has invalid framing and cannot be read."""


class BodyTooLarge(UnreadableBody):
    """The body exceeds the limit of its route and is not read."""


class BodyStreamed(BodyUnavailable):
    """The body is not collected: its endpoint takes chunks."""


class BodylessRequest(Request, frozen=True, eq=False):
    """A request without its body.

    A class of its own, so that `Request.body` stays a plain attribute.
    """

    reason: type[BodyUnavailable]
    """A class, not an instance: an exception refers to the frames it passed, and they to the request, in a cycle."""

    @property  # type: ignore[misc]  # never set
    def body(self) -> bytes:
        """Raises `BodyUnavailable`."""
        raise self.reason()
