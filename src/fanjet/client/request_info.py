"""What is known of a connection from the request that opened it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 (msgspec reads the annotations)

from msgspec import Struct


class RequestInfo(Struct, frozen=True):
    """Who and what opened a connection (02 §10). Most connections share `NO_REQUEST_INFO`."""

    user: str = ""
    """The user named by the trusted header, empty without it."""
    headers: Mapping[str, Sequence[str]] | None = None
    """Request headers by lower-case name, kept only where a proxy forwards some."""
    metadata: Mapping[str, Sequence[str]] | None = None
    """gRPC metadata of a `uni_grpc` client by lower-case key, kept only where a proxy forwards some."""
    emulated_headers: Mapping[str, str] | None = None
    """What the connect request brought in their place, by lower-case name: the client's own words (02 §10.1)."""
    http: str = ""
    """The version of HTTP that it came by, `h1`, `h2` or `h3`, where connections are counted by it."""


NO_REQUEST_INFO = RequestInfo()
"""Nothing that is of use later."""
