"""What the console asks the server: a request with parameters in its query or body, answered with JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import msgspec

from fanjet.net.http1.response import JSON
from fanjet.protocol.codes import ReplyError
from fanjet.telemetry.logging import get_logger

from .long_requests import work_on

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint

log = get_logger(__name__)

MAX_PAGE = 500
"""Rows of one page, at most."""


class Refused(Exception):  # noqa: N818
    """The question cannot be answered; the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Parameters:
    """The parameters of a question. Raises `Refused` for what they should not be."""

    def __init__(self, query: bytes) -> None:
        given = parse_qs(query.decode("utf-8", "replace"), keep_blank_values=True)
        self._values = {name: values[0] for name, values in given.items()}

    def encoded(self, **changed: object) -> bytes:
        """The parameters as they came, but for those that are `changed`."""
        return urlencode(self._values | {name: str(value) for name, value in changed.items()}).encode()

    def but(self, **changed: object) -> Parameters:
        """The same parameters but for those that are `changed`."""
        return Parameters(self.encoded(**changed))

    def text(self, name: str) -> str:
        """A text, empty when it is not given."""
        return self._values.get(name, "")

    def needed(self, name: str) -> str:
        """A text that must be there."""
        value = self.text(name)
        if not value:
            raise Refused(400, f"{name} is missing")
        return value

    def is_given(self, name: str) -> bool:
        """Whether it is there, if empty."""
        return name in self._values

    def number(self, name: str, default: int = 0, *, at_most: int | None = None) -> int:
        """A number from 0."""
        text = self.text(name)
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise Refused(400, f"{name} is not a number")
        return int(text) if at_most is None else min(int(text), at_most)


def question(answer: Callable[[Parameters], Coroutine[Any, Any, Any]], *, in_body: bool = False) -> Endpoint:
    """The endpoint that answers with what `answer` returns, as JSON. The parameters are in the query, or encoded like
    one in the body."""

    def endpoint(exchange: Exchange) -> None:
        given = exchange.request.body if in_body else exchange.request.query
        work_on(exchange, _answer(exchange, answer, Parameters(given)))

    return endpoint


async def _answer(
    exchange: Exchange, answer: Callable[[Parameters], Coroutine[Any, Any, Any]], asked: Parameters
) -> None:
    try:
        found = await answer(asked)
    except Refused as refusal:
        _respond(exchange, refusal.status, {"error": str(refusal)})
    except ReplyError as failure:
        _respond(exchange, 400, {"error": failure.error.message, "code": failure.error.code})
    except Exception:
        log.exception("console question failed", path=exchange.request.path)
        _respond(exchange, 500, {"error": "internal error"})
    else:
        _respond(exchange, 200, found)


def _respond(exchange: Exchange, status: int, found: object) -> None:
    exchange.respond(status, msgspec.json.encode(found), JSON, ((b"Cache-Control", b"no-store"),))
