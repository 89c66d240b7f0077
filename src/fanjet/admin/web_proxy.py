"""Reverse proxy to a development server of the console.

Its address is the setting `admin.web_proxy_address` (10 H.2).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fanjet.net.http1.response import NO_SNIFFING, TEXT
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange

log = get_logger(__name__)

_HOP_BY_HOP: Final = frozenset(
    (
        b"connection", b"content-length", b"date", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
        b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip
_TIMEOUT_SECONDS: Final = 60.0


class WebProxy:
    """Forwards requests to another server and responds with its responses.

    Responds 502 when the server cannot be reached.
    """

    def __init__(self, address: str) -> None:
        """Raises `ValueError` for an invalid URL."""
        split = urlsplit(address)
        self._origin = f"{split.scheme}://{split.netloc}"
        self._path = split.path.rstrip("/")
        self._query = split.query
        self._running: set[asyncio.Task[None]] = set()

    def __call__(self, exchange: Exchange) -> None:
        """Forward the request; respond when the other server has."""
        _ = exchange.request.body  # must be requested before the first wait
        task = asyncio.get_running_loop().create_task(self._forward(exchange))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _forward(self, exchange: Exchange) -> None:
        import aiohttp  # noqa: PLC0415 (loaded only when this proxy is used)
        import yarl  # noqa: PLC0415

        request = exchange.request
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
                session.request(
                    request.method,
                    yarl.URL(self._url(exchange), encoded=True),
                    data=request.body,
                    headers=_headers(exchange),
                    allow_redirects=False,
                ) as response,
            ):
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.error("admin web proxy error", error=repr(error))
            exchange.respond(502, b"Bad Gateway\n", TEXT, (NO_SNIFFING,))
            return
        headers = [
            (name, value) for name, value in response.raw_headers
            if name.lower() not in _HOP_BY_HOP and name.lower() != b"content-type"
        ]  # fmt: skip
        exchange.respond(response.status, body, response.headers.get("Content-Type", "").encode(), headers)

    def _url(self, exchange: Exchange) -> str:
        request = exchange.request
        query = "&".join(part for part in (self._query, request.query.decode("latin-1")) if part)
        return f"{self._origin}{self._path}{request.raw_path}{'?' + query if query else ''}"


def _headers(exchange: Exchange) -> list[tuple[str, str]]:
    request = exchange.request
    host = request.peer.rpartition(":")[0].strip("[]")
    forwarded = [
        (name.decode(), value.decode("latin-1"))
        for name in request.headers
        if name not in _HOP_BY_HOP and name not in (b"x-forwarded-for", b"host")
        for value in request.all_values(name)
    ]
    forwarded_for = [value.decode("latin-1") for value in request.all_values(b"x-forwarded-for")]
    sent_host = request.headers.get(b"host", b"").decode("latin-1")
    return [*forwarded, ("Host", sent_host), ("X-Forwarded-For", ", ".join([*forwarded_for, host]))]
