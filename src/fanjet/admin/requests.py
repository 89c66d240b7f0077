"""Requests of the console: parameters in the query or body, a JSON response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import msgspec

from fanjet.net.http1.response import JSON
from fanjet.protocol.codes import ReplyError
from fanjet.telemetry.logging import get_logger

from .long_requests import run_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint

log = get_logger(__name__)

MAX_PAGE = 500
"""Maximum number of rows in a page."""


class RequestError(Exception):
    """The request cannot be answered; the text gives the reason."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Parameters:
    """The parameters of a request. Raises `RequestError` for invalid values."""

    def __init__(self, query: bytes) -> None:
        raw = parse_qs(query.decode("utf-8", "replace"), keep_blank_values=True)
        self._values = {name: values[0] for name, values in raw.items()}

    def encode(self, **changed: object) -> bytes:
        """Encode the parameters as a query, with the values in `changed`."""
        return urlencode(self._values | {name: str(value) for name, value in changed.items()}).encode()

    def with_changes(self, **changed: object) -> Parameters:
        """A copy with the values in `changed`."""
        return Parameters(self.encode(**changed))

    def text(self, name: str) -> str:
        """A text; empty when missing."""
        return self._values.get(name, "")

    def required(self, name: str) -> str:
        """A text that must not be empty."""
        value = self.text(name)
        if not value:
            raise RequestError(400, f"{name} is missing")
        return value

    def has(self, name: str) -> bool:
        """Whether the parameter is present, even if empty."""
        return name in self._values

    def number(self, name: str, default: int = 0, *, at_most: int | None = None) -> int:
        """A non-negative integer."""
        text = self.text(name)
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise RequestError(400, f"{name} is not a number")
        return int(text) if at_most is None else min(int(text), at_most)


def json_endpoint(handler: Callable[[Parameters], Coroutine[Any, Any, Any]], *, in_body: bool = False) -> Endpoint:
    """An endpoint that responds with the result of `handler` as JSON.

    The parameters are in the query, or URL-encoded in the body.
    """

    def endpoint(exchange: Exchange) -> None:
        raw = exchange.request.body if in_body else exchange.request.query
        run_handler(exchange, _handle(exchange, handler, Parameters(raw)))

    return endpoint


async def _handle(
    exchange: Exchange, handler: Callable[[Parameters], Coroutine[Any, Any, Any]], params: Parameters
) -> None:
    try:
        result = await handler(params)
    except RequestError as error:
        _respond(exchange, error.status, {"error": str(error)})
    except ReplyError as failure:
        _respond(exchange, 400, {"error": failure.error.message, "code": failure.error.code})
    except Exception:
        log.exception("console question failed", path=exchange.request.path)
        _respond(exchange, 500, {"error": "internal error"})
    else:
        _respond(exchange, 200, result)


def _respond(exchange: Exchange, status: int, result: object) -> None:
    exchange.respond(status, msgspec.json.encode(result), JSON, ((b"Cache-Control", b"no-store"),))
