"""Server API over HTTP (05 §2): one route per method, and the legacy envelope."""

from __future__ import annotations

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fanjet.net.aio import CallbackChain, start
from fanjet.net.http1 import UnreadableBody
from fanjet.net.http1.response import JSON, NO_SNIFFING, TEXT
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from fanjet.protocol.json_encoding.scan import MalformedJSON
from fanjet.telemetry.logging import get_logger

from .api_key import KeyCheck
from .batch import encode_replies, run_batch
from .calls import Calls
from .encoding import PayloadNotJSON, encode_error, encode_failure, encode_success
from .legacy import run_legacy
from .methods import METHODS
from .requests import BatchRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from fanjet.net.http1 import Exchange, Head
    from fanjet.net.router import Endpoint

    from .calls import Traces
    from .errors import ApiError
    from .methods import Method
    from .metrics import ApiMetrics
    from .node import Node
    from .results import Result

    T = TypeVar("T")
    Handler = Callable[[Exchange, T], Coroutine[Any, Any, None] | CallbackChain | None]
    """Executes a decoded request and always responds; the returned continuation is to be awaited."""

log = get_logger(__name__)

_BAD_REQUEST: Final = (400, b"Bad Request\n")
_INTERNAL_ERROR: Final = (500, b"Internal Server Error\n")


class HttpApi:
    """The HTTP endpoints of the server API.

    `key` None: every request is admitted; `transport_errors`: see 05 §2.7.
    """

    def __init__(
        self,
        node: Node,
        *,
        key: str | None,
        transport_errors: bool = False,
        metrics: ApiMetrics | None = None,
        traces: Traces | None = None,
    ) -> None:
        self._node = node
        self._calls = Calls(node, metrics, traces=traces)
        self._keys = None if key is None else KeyCheck(key)
        self._transport_errors = transport_errors

    def routes(self, prefix: str) -> dict[str, Endpoint]:
        """Endpoints by path. `prefix` is `/` or has no trailing slash (05 §2.2)."""
        base = prefix.rstrip("/")
        routes = {
            f"{base}/{name}": self._endpoint(
                DocumentDecoder(method.request_type).decode, self._method_handler(method), name
            )
            for name, method in METHODS.items()
        }
        batch = DocumentDecoder(BatchRequest).decode
        routes[f"{base}/batch"] = self._endpoint(batch, self._handle_batch, "batch")
        routes[base or "/"] = self.legacy_endpoint()
        return routes

    def legacy_endpoint(self) -> Endpoint:
        """The endpoint of the legacy envelope, also used by the admin API (10 H.2)."""
        return self._endpoint(_raw_body, self._handle_legacy)

    def _endpoint(self, decode: Callable[[bytes], T], handle: Handler[T], method: str = "") -> Endpoint:
        """Return an endpoint that checks HTTP method and key before it decodes the body.

        `method`: the method under which undecodable requests are counted; empty: they are not.
        """
        keys, calls = self._keys, self._calls
        admitted: Head | None = None  # the last admitted head; repeated heads share one object and skip the checks

        def endpoint(exchange: Exchange) -> None:
            nonlocal admitted
            request = exchange.request
            head = request.head
            if head is not admitted:
                if head.method != "POST":
                    exchange.respond(405)
                    return
                if keys is not None and not keys.admits(head.headers, head.query):
                    exchange.respond(401)
                    return
                admitted = head
            try:
                decoded = decode(request.body)
            except MalformedJSON as error:
                if method:
                    calls.count_failure(method, "unmarshal")
                _respond_bad_request(exchange, error)
            except UnreadableBody:
                if method:
                    calls.count_failure(method, "read_body")
                raise
            else:
                pending = handle(exchange, decoded)
                suspended = None if pending is None else start(pending)
                if suspended is not None:
                    suspended.go_on(_on_finished)

        return endpoint

    # ------------------------------------------------------------------------------------------ methods

    def _method_handler(self, method: Method) -> Handler[Any]:
        calls, run, name, result_type = self._calls, self._calls.runner(method), method.name, method.result_type

        def handle(exchange: Exchange, request: Any) -> Coroutine[Any, Any, None] | CallbackChain | None:
            try:
                answer = run(request)
                if not isinstance(answer, result_type):
                    pending = respond_later(exchange, answer)
                    return CallbackChain(pending) if method.engine_only else pending
                exchange.respond(200, encode_success(answer), JSON)
            except Exception as error:
                respond_with_error(exchange, error)
            return None

        async def respond_later(exchange: Exchange, answer: Awaitable[Result]) -> None:
            try:
                exchange.respond(200, encode_success(await answer), JSON)
            except (Exception, CancelledError) as error:
                respond_with_error(exchange, error)

        def respond_with_error(exchange: Exchange, failure: Exception | CancelledError) -> None:
            if isinstance(failure, PayloadNotJSON):
                calls.count_failure(name, "marshal")
                _respond_internal_error(exchange, failure)
            elif isinstance(failure, CancelledError):
                _respond_internal_error(exchange, failure)
            else:
                self._respond_with_api_error(exchange, calls.as_error(failure, name))

        return handle

    def _respond_with_api_error(self, exchange: Exchange, error: ApiError) -> None:
        by_status = self._transport_errors or exchange.request.headers.get(b"x-centrifugo-error-mode") == b"transport"
        if by_status:
            exchange.respond(error.http_status, encode_error(error), JSON)
        else:
            exchange.respond(200, encode_failure(error), JSON)

    # ------------------------------------------------------------------------------------------ batch and legacy

    async def _handle_batch(self, exchange: Exchange, request: BatchRequest) -> None:
        try:
            exchange.respond(200, encode_replies(await run_batch(self._calls, request)), JSON)
        except (Exception, CancelledError) as failure:
            if isinstance(failure, PayloadNotJSON):
                self._calls.count_failure("batch", "marshal")
            _respond_internal_error(exchange, failure)

    async def _handle_legacy(self, exchange: Exchange, body: bytes) -> None:
        if self._node.shutting_down:
            exchange.respond(503)
            return
        if not body:
            _respond_text(exchange, *_BAD_REQUEST)
            return
        try:
            exchange.respond(200, await run_legacy(self._calls, body), JSON)
        except MalformedJSON as error:
            _respond_bad_request(exchange, error)
        except (Exception, CancelledError) as failure:
            _respond_internal_error(exchange, failure)


def _raw_body(body: bytes) -> bytes:
    return body


def _on_finished(_: None, error: BaseException | None) -> None:
    """Re-raise an unexpected error of a handler. It has responded already."""
    if error is not None:
        raise error


def _respond_bad_request(exchange: Exchange, error: MalformedJSON) -> None:
    log.info("error decoding API request body", path=exchange.request.path, error=error)
    _respond_text(exchange, *_BAD_REQUEST)


def _respond_internal_error(exchange: Exchange, error: BaseException) -> None:
    """Respond 500: a payload that is not JSON, a cancelled command, or a bug."""
    log.error("error answering API request", path=exchange.request.path, error=repr(error))
    _respond_text(exchange, *_INTERNAL_ERROR)


def _respond_text(exchange: Exchange, status: int, body: bytes) -> None:
    exchange.respond(status, body, TEXT, (NO_SNIFFING,))
