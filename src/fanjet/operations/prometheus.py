"""The page that Prometheus reads (10 B.1)."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.metrics.text import CONTENT_TYPE, page_of

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint
    from fanjet.telemetry.metrics import Registry

_COMPRESSED: Final = ((b"Content-Encoding", b"gzip"),)
_LEVEL: Final = 1


def prometheus_endpoint(registry: Registry) -> Endpoint:
    """Answers with everything in the registry."""

    def endpoint(exchange: Exchange) -> None:
        page = page_of(registry.read())
        if accepts_gzip(exchange.request.headers.get(b"accept-encoding", b"")):
            exchange.respond(200, gzip.compress(page, _LEVEL, mtime=0), CONTENT_TYPE, _COMPRESSED)
        else:
            exchange.respond(200, page, CONTENT_TYPE)

    return endpoint


def accepts_gzip(header: bytes) -> bool:
    """Whether a client takes gzip, by what it says in `Accept-Encoding`."""
    for item in header.split(b","):
        coding, _, parameters = item.partition(b";")
        if coding.strip() == b"gzip":
            return parameters.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False
