"""The HTTP server of http-01 challenges.

RFC 8555 section 8.3. Redirects other requests to HTTPS.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ..http1.response import NO_SNIFFING, TEXT
from ..router import Route, Routes
from .store import http_token

if TYPE_CHECKING:
    from ..http1.exchange import Exchange
    from ..http1.head import Head
    from .certificates import Certificates

_CHALLENGES: Final = "/.well-known/acme-challenge/"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")
_HOST_AND_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:]*):[^:]*")
_HTML: Final = b"text/html; charset=utf-8"


class HttpChallenges(Routes):
    """A router with one endpoint for all paths, which are not normalised."""

    def __init__(self, certificates: Certificates) -> None:
        super().__init__()
        self._certificates = certificates
        self._route = Route("/", self._read_response, max_body=None)

    def find(self, head: Head) -> Route:
        """Return the only route."""
        return self._route

    def _read_response(self, exchange: Exchange) -> None:
        if exchange.request.path.startswith(_CHALLENGES):
            self._answer_challenge(exchange)
        elif exchange.request.method in ("GET", "HEAD"):
            _redirect(exchange)
        else:
            _refuse(exchange, 400, "Use HTTPS")

    def _answer_challenge(self, exchange: Exchange) -> None:
        host = _HOST_AND_PORT.sub(r"\1", _host(exchange)).lower()
        if not self._certificates.hosts.is_allowed(host):
            _refuse(exchange, 403, "this host is not in host_whitelist")
            return
        token = exchange.request.path.removeprefix(_CHALLENGES)
        content = self._certificates.store.get(http_token(token)) if _TOKEN.fullmatch(token) else None
        if content is None:
            _refuse(exchange, 404, "no such challenge")
        else:
            exchange.respond(200, content, TEXT)


def _host(exchange: Exchange) -> str:
    return exchange.request.headers.get(b"host", b"").decode("latin-1")


def _redirect(exchange: Exchange) -> None:
    host = _HOST_AND_PORT.sub(r"\1:443", _host(exchange))
    query = exchange.request.query.decode("latin-1")
    path = quote(exchange.request.raw_path, safe="/%:@!$&()*+,;=~", encoding="latin-1")
    location = f"https://{host}{path}" + (f"?{query}" if query else "")
    body = f'<a href="{escape(location)}">Found</a>.\n\n'.encode("latin-1")
    shown = body if exchange.request.method == "GET" else b""
    exchange.respond(302, shown, _HTML, ((b"Location", location.encode("latin-1")),))


def _refuse(exchange: Exchange, status: int, text: str) -> None:
    exchange.respond(status, f"{text}\n".encode(), TEXT, (NO_SNIFFING,))
