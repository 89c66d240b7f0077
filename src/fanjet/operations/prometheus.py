"""The Prometheus scrape endpoint (10 B.1)."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Final, NamedTuple

from fanjet.net.aio import run_eagerly
from fanjet.telemetry.logging import get_logger
from fanjet.telemetry.metrics import prometheus_protobuf, prometheus_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from typing import Any

    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint
    from fanjet.telemetry.metrics.registry import Metric

log = get_logger(__name__)

_COMPRESSED: Final = ((b"Content-Encoding", b"gzip"),)
_LEVEL: Final = 1

_PROTOBUF: Final = b"application/vnd.google.protobuf"
_MESSAGE: Final = b"io.prometheus.client.MetricFamily"
_ENCODINGS: Final[dict[bytes, Callable[[Iterable[Metric]], bytes]]] = {
    b"delimited": prometheus_protobuf.delimited_page,
    b"text": prometheus_protobuf.text_page,
    b"compact-text": prometheus_protobuf.compact_text_page,
}
_ESCAPINGS: Final = (b"allow-utf-8", b"underscores", b"dots", b"values")
"""Escaping schemes for names with other characters than letters, digits and underscores. There are none here."""


class Format(NamedTuple):
    """An exposition format."""

    content_type: bytes
    page_of: Callable[[Iterable[Metric]], bytes]


def prometheus_endpoint(read: Callable[[], Coroutine[Any, Any, Iterable[Metric]]]) -> Endpoint:
    """An endpoint that responds with the metrics from `read`.

    `read` may wait for other processes.
    """

    async def answer(exchange: Exchange) -> None:
        headers = exchange.request.headers
        page_format = format_for(headers.get(b"accept", b""))
        page = page_format.page_of(await read())
        if accepts_gzip(headers.get(b"accept-encoding", b"")):
            exchange.respond(200, gzip.compress(page, _LEVEL, mtime=0), page_format.content_type, _COMPRESSED)
        else:
            exchange.respond(200, page, page_format.content_type)

    def endpoint(exchange: Exchange) -> None:
        def done(_: None, error: BaseException | None) -> None:
            if error is not None:
                log.error("error reading metrics", error=error)
                exchange.respond(503)

        run_eagerly(answer(exchange), done)

    return endpoint


def format_for(header: bytes) -> Format:
    """The client's preferred format from its `Accept` header.

    It is text if the client accepts no known format.
    """
    for media_type, parameters in _by_preference(header):
        escaping = parameters.get(b"escaping", b"")
        tail = b"; escaping=" + (escaping if escaping in _ESCAPINGS else b"underscores")
        if media_type == _PROTOBUF and parameters.get(b"proto") == _MESSAGE:
            encoding = parameters.get(b"encoding", b"")
            if encoding in _ENCODINGS:
                content_type = _PROTOBUF + b"; proto=" + _MESSAGE + b"; encoding=" + encoding + tail
                return Format(content_type, _ENCODINGS[encoding])
        elif media_type == b"text/plain" and parameters.get(b"version", b"0.0.4") == b"0.0.4":
            return Format(prometheus_text.CONTENT_TYPE + tail, prometheus_text.page_of)
    return Format(prometheus_text.CONTENT_TYPE + b"; escaping=underscores", prometheus_text.page_of)


def _by_preference(header: bytes) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    accepted = [_media_range(item) for item in header.split(b",")]
    return iter(sorted(accepted, key=lambda each: _quality(each[1]), reverse=True))


def _media_range(item: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    name, *parameters = (part.strip() for part in item.split(b";"))
    pairs = (parameter.partition(b"=") for parameter in parameters)
    return name.lower(), {key.strip().lower(): value.strip() for key, _, value in pairs}


def _quality(parameters: dict[bytes, bytes]) -> float:
    try:
        return float(parameters.get(b"q", b"1"))
    except ValueError:
        return 1.0


def accepts_gzip(header: bytes) -> bool:
    """Whether the `Accept-Encoding` header accepts gzip."""
    for item in header.split(b","):
        coding, _, parameters = item.partition(b";")
        if coding.strip() == b"gzip":
            return parameters.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False
