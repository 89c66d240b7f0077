"""Passes requests for the console on to a server that develops it, for `admin.web_proxy_address` (10 H.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fanjet.net.http1.response import NO_SNIFFING, TEXT
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from fanjet.net.http1 import Exchange

log = get_logger(__name__)

_OF_ONE_CONNECTION: Final = frozenset(
    (
        b"connection", b"content-length", b"date", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
        b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip
_TIMEOUT_SECONDS: Final = 60.0


class Forward:
    """Asks another server for everything, and answers what it answers; 502 when it cannot be asked."""

    def __init__(self, address: str) -> None:
        """Raises `ValueError` for an address that is no URL."""
        split = urlsplit(address)
        self._origin = f"{split.scheme}://{split.netloc}"
        self._path = split.path.rstrip("/")
        self._query = split.query
        self._running: set[asyncio.Task[None]] = set()

    def __call__(self, exchange: Exchange) -> None:
        """Answer when the other server has."""
        _ = exchange.request.body  # asked for now, while it still can be sent for
        task = asyncio.get_running_loop().create_task(self._pass_on(exchange))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _pass_on(self, exchange: Exchange) -> None:
        import aiohttp  # noqa: PLC0415 (whoever needs no such proxy need not load it)
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
                ) as answer,
            ):
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.error("admin web proxy error", error=repr(error))
            exchange.respond(502, b"Bad Gateway\n", TEXT, (NO_SNIFFING,))
            return
        kept = [
            (name, value) for name, value in answer.raw_headers
            if name.lower() not in _OF_ONE_CONNECTION and name.lower() != b"content-type"
        ]  # fmt: skip
        exchange.respond(answer.status, body, answer.headers.get("Content-Type", "").encode(), kept)

    def _url(self, exchange: Exchange) -> str:
        request = exchange.request
        query = "&".join(part for part in (self._query, request.query.decode("latin-1")) if part)
        return f"{self._origin}{self._path}{request.raw_path}{'?' + query if query else ''}"


def _headers(exchange: Exchange) -> list[tuple[str, str]]:
    request = exchange.request
    host = request.peer.rpartition(":")[0].strip("[]")
    passed = [
        (name.decode(), value.decode("latin-1"))
        for name in request.headers
        if name not in _OF_ONE_CONNECTION and name not in (b"x-forwarded-for", b"host")
        for value in request.all_values(name)
    ]
    came_by = [value.decode("latin-1") for value in request.all_values(b"x-forwarded-for")]
    sent_host = request.headers.get(b"host", b"").decode("latin-1")
    return [*passed, ("Host", sent_host), ("X-Forwarded-For", ", ".join([*came_by, host]))]
