"""Facts about a connection from the request that opened it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 (msgspec reads the annotations)

from msgspec import Struct


class RequestInfo(Struct, frozen=True):
    """User, headers and HTTP version of the opening request (02 §10).

    Most connections share `NO_REQUEST_INFO`.
    """

    user: str = ""
    """The user from the trusted header, empty without it."""
    headers: Mapping[str, Sequence[str]] | None = None
    """Request headers by lower-case name, kept only where a proxy forwards some."""
    metadata: Mapping[str, Sequence[str]] | None = None
    """gRPC metadata of a `uni_grpc` client by lower-case key, kept only where a proxy forwards some."""
    emulated_headers: Mapping[str, str] | None = None
    """Headers from the connect request, by lower-case name: set by the client and not to be trusted (02 §10.1)."""
    http: str = ""
    """The HTTP version, `h1`, `h2` or `h3`, where connections are counted by it."""


NO_REQUEST_INFO = RequestInfo()
"""No facts that are needed later."""
