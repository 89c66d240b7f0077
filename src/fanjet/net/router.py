"""Routes requests to endpoints (02 section 2.4)."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from .http1.response import CLOSE_CONNECTION, NO_SNIFFING, TEXT

if TYPE_CHECKING:
    from .http1.exchange import Exchange
    from .http1.head import Head

Endpoint = Callable[["Exchange"], None]
"""Responds to an exchange, now or later."""

DEFAULT_MAX_BODY: Final = 65536

_REDIRECT: Final = 307


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint with its pattern and its request limits."""

    pattern: str
    endpoint: Endpoint
    max_body: int | None = DEFAULT_MAX_BODY
    """Maximum size of a request body in bytes, above which the response is 413; None: unlimited."""
    streamed: bool = False
    """The body is delivered in chunks, without a size limit (`StreamedRequest`)."""


class DuplicateRoute(ValueError):  # noqa: N818
    """A pattern was added twice."""


class Routes:
    """The routes of one listener: exact paths and subtrees.

    The patterns of subtrees end in a slash (`/` matches all).
    """

    __slots__ = ("_exact", "_fallback", "_subtrees")

    def __init__(self) -> None:
        self._exact: dict[str, Route] = {}
        self._subtrees: dict[str, Route] = {}
        self._fallback: Route | None = None

    def add(self, pattern: str, endpoint: Endpoint, *, max_body: int | None = DEFAULT_MAX_BODY) -> None:
        """Add an endpoint.

        Raises `DuplicateRoute`, and `ValueError` for a pattern that does not begin with a slash.
        """
        if not pattern.startswith("/"):
            raise ValueError(f"route pattern {pattern!r} does not begin with a slash")
        table = self._subtrees if pattern.endswith("/") else self._exact
        if pattern in table:
            raise DuplicateRoute(pattern)
        table[pattern] = Route(pattern, endpoint, max_body)

    def add_fallback(self, endpoint: Endpoint) -> None:
        """Set the endpoint of all requests that match no route.

        Their paths are not normalised.
        """
        self._fallback = Route("", endpoint, max_body=None, streamed=True)

    def __bool__(self) -> bool:
        """Whether any endpoint was added."""
        return bool(self._exact or self._subtrees)

    def find(self, head: "Head") -> Route:
        """Return the route of a request: an added one, or one that redirects or refuses."""
        route = self._exact.get(head.raw_path)
        if route is not None:
            return route
        if head.target == b"*":
            return _SERVER_OPTIONS if head.method == "OPTIONS" else _BAD_TARGET
        return self._find_cleaned(head)

    def _find_cleaned(self, head: "Head") -> Route:
        if self._fallback is not None:
            path = _decode_segments(head.raw_path)
            return self._exact.get(path) or self._find_subtree(path)
        cleaned = clean_path(head.raw_path)
        path = _decode_segments(cleaned)
        route = self._exact.get(path)
        if route is None and path + "/" in self._subtrees:
            return _redirect(cleaned + "/", head.query)
        if cleaned != head.raw_path and head.method != "CONNECT":
            return _redirect(cleaned, head.query)
        return route or self._find_subtree(path)

    def _find_subtree(self, path: str) -> Route:
        end = len(path)
        while (end := path.rfind("/", 0, end)) >= 0:
            route = self._subtrees.get(path[: end + 1])
            if route is not None:
                return route
        return self._fallback or _NOT_FOUND


def clean_path(path: str) -> str:
    """Resolve empty, `.` and `..` segments; a trailing slash is kept."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    cleaned = "/" + "/".join(segments)
    return cleaned + "/" if segments and path.endswith("/") else cleaned


def _decode_segments(path: str) -> str:
    """Decode percent-escapes except slashes: an encoded slash separates no segments."""
    if "%" not in path:
        return path
    return "/".join(unquote(segment).replace("/", "%2F") for segment in path.split("/"))


def _redirect(path: str, query: bytes) -> Route:
    location = quote(path, safe="/%:@!$&'()*+,;=~", encoding="latin-1")
    if query:
        location += "?" + quote(query, safe="/%:@!$&'()*+,;=?~[]{}|\\^`\"<>")

    def answer(exchange: "Exchange") -> None:
        headers = ((b"Location", location.encode()),)
        if exchange.request.method in ("GET", "HEAD"):
            body = f'<a href="{escape(location)}">Temporary Redirect</a>.\n\n'.encode()
            shown = body if exchange.request.method == "GET" else b""
            exchange.respond(_REDIRECT, shown, b"text/html; charset=utf-8", headers)
        else:
            exchange.respond(_REDIRECT, headers=headers)

    return Route("", answer)


def _answer_not_found(exchange: "Exchange") -> None:
    exchange.respond(404, b"404 page not found\n", TEXT, (NO_SNIFFING,))


def _answer_server_options(exchange: "Exchange") -> None:
    exchange.respond(200)


def _answer_bad_target(exchange: "Exchange") -> None:
    exchange.respond(400, headers=(CLOSE_CONNECTION,))


_NOT_FOUND: Final = Route("", _answer_not_found)
_SERVER_OPTIONS: Final = Route("", _answer_server_options)
_BAD_TARGET: Final = Route("", _answer_bad_target)
