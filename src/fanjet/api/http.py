"""The server API over HTTP (05 §2): one route per method, and the legacy envelope."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fanjet.net.eager import run_eagerly
from fanjet.net.http1.response import JSON, NO_SNIFFING, TEXT
from fanjet.telemetry.logging import get_logger

from .auth import KeyCheck
from .batch import encode_replies, run_batch
from .decoding import MalformedRequest, RequestDecoder
from .encoding import PayloadNotJSON, encode_error, encode_failure, encode_success
from .errors import as_api_error
from .legacy import run_legacy
from .methods import METHODS
from .requests import BatchRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint

    from .batch import Reply
    from .errors import ApiError
    from .methods import Method
    from .node import Node
    from .results import Result

    Handler = Callable[[Exchange], None]

log = get_logger(__name__)

_BAD_REQUEST: Final = (400, b"Bad Request\n")
_INTERNAL_ERROR: Final = (500, b"Internal Server Error\n")


class HttpApi:
    """Endpoints of the API. `key` None: every request is let in; `transport_errors`: see 05 §2.7."""

    def __init__(self, node: Node, *, key: str | None, transport_errors: bool = False) -> None:
        self._node = node
        self._keys = None if key is None else KeyCheck(key)
        self._transport_errors = transport_errors

    def routes(self, prefix: str) -> dict[str, Endpoint]:
        """Endpoints by path. `prefix` has no slash at its end, but for being one (05 §2.2)."""
        base = prefix.rstrip("/")
        routes = {f"{base}/{method.name}": self._guarded(self._method_handler(method)) for method in METHODS.values()}
        routes[f"{base}/batch"] = self._guarded(self._batch_handler())
        routes[base or "/"] = self._guarded(self._handle_legacy)
        return routes

    def _guarded(self, handle: Handler) -> Endpoint:
        """Method and key are checked before the body is looked at."""
        keys = self._keys

        def endpoint(exchange: Exchange) -> None:
            head = exchange.request.head
            if head.method != "POST":
                exchange.respond(405)
            elif keys is not None and not keys.admits(head.headers, head.query):
                exchange.respond(401)
            else:
                handle(exchange)

        return endpoint

    # ------------------------------------------------------------------------------------------ methods

    def _method_handler(self, method: Method) -> Handler:
        decode, run, name = RequestDecoder(method.request_type).decode, method.run, method.name

        def handle(exchange: Exchange) -> None:
            try:
                request = decode(exchange.request.body)
            except MalformedRequest as error:
                _refuse(exchange, error)
                return
            run_eagerly(run(self._node, request), partial(self._answer, exchange, name))

        return handle

    def _answer(self, exchange: Exchange, method: str, result: Result | None, error: BaseException | None) -> None:
        if isinstance(error, Exception):
            self._answer_error(exchange, as_api_error(error, method))
        elif result is None:
            _fail(exchange, error)
        else:
            try:
                body = encode_success(result)
            except PayloadNotJSON as failure:
                _fail(exchange, failure)
            else:
                exchange.respond(200, body, JSON)

    def _answer_error(self, exchange: Exchange, error: ApiError) -> None:
        by_status = self._transport_errors or exchange.request.headers.get(b"x-centrifugo-error-mode") == b"transport"
        if by_status:
            exchange.respond(error.http_status, encode_error(error), JSON)
        else:
            exchange.respond(200, encode_failure(error), JSON)

    # ------------------------------------------------------------------------------------------ batch and legacy

    def _batch_handler(self) -> Handler:
        decode = RequestDecoder(BatchRequest).decode

        def handle(exchange: Exchange) -> None:
            try:
                request = decode(exchange.request.body)
            except MalformedRequest as error:
                _refuse(exchange, error)
                return
            self._run_to_body(exchange, _batch_body(self._node, request))

        return handle

    def _handle_legacy(self, exchange: Exchange) -> None:
        if self._node.shutting_down:
            exchange.respond(503)
        elif not exchange.request.body:
            _respond_text(exchange, *_BAD_REQUEST)
        else:
            self._run_to_body(exchange, run_legacy(self._node, exchange.request.body))

    def _run_to_body(self, exchange: Exchange, work: Coroutine[Any, Any, bytes]) -> None:
        run_eagerly(work, partial(_answer_body, exchange))


async def _batch_body(node: Node, request: BatchRequest) -> bytes:
    replies: list[Reply] = await run_batch(node, request)
    return encode_replies(replies)


def _answer_body(exchange: Exchange, body: bytes | None, error: BaseException | None) -> None:
    if isinstance(error, MalformedRequest):
        _refuse(exchange, error)
    elif error is not None or body is None:
        _fail(exchange, error)
    else:
        exchange.respond(200, body, JSON)


def _refuse(exchange: Exchange, error: MalformedRequest) -> None:
    log.info("error decoding API request body", path=exchange.request.path, error=error)
    _respond_text(exchange, *_BAD_REQUEST)


def _fail(exchange: Exchange, error: BaseException | None) -> None:
    """Nothing can be told but that it failed: a payload that is not JSON, a cancelled command, a defect."""
    log.error("error answering API request", path=exchange.request.path, error=repr(error))
    _respond_text(exchange, *_INTERNAL_ERROR)


def _respond_text(exchange: Exchange, status: int, body: bytes) -> None:
    exchange.respond(status, body, TEXT, (NO_SNIFFING,))
