"""One connection of the HTTP client.

One request at a time, each followed by its response.
"""

from __future__ import annotations

import asyncio
import select
import zlib
from typing import TYPE_CHECKING, Final, cast

import httptools

from .client_head_cache import ClientResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from .client_head_cache import ResponseHeadCache

_GZIP: Final = 31
"""zlib's window bits for the gzip format."""


class ExchangeFailed(Exception):  # noqa: N818 (says what has happened)
    """No response was received, or an invalid one."""


class ClientConnection(asyncio.Protocol):
    """A connection to one server. `on_idle` is called with it when it can be reused."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        max_body: int,
        heads: ResponseHeadCache,
        on_idle: Callable[[ClientConnection], None],
    ) -> None:
        """`max_body`: bytes, compressed and decompressed."""
        self._loop = loop
        self._max_body = max_body
        self._heads = heads
        self._on_idle = on_idle
        self._transport: asyncio.Transport | None = None
        self._watched = select.poll()
        self._parser = httptools.HttpResponseParser(self)
        # Servers may say "HTTP/1.2", end lines by LF alone, and say a length besides sending chunks (RFC 9112 sections
        # 2.2, 2.3 and 6.3), which in a request would be dangerous.
        self._parser.set_dangerous_leniencies(
            lenient_version=True, lenient_optional_cr_before_lf=True, lenient_chunked_length=True
        )
        self._waiter: asyncio.Future[ClientResponse] | None = None
        self._is_fresh = True
        """Whether nothing of a response was received yet."""
        self._whole = b""
        """The first chunk of a response while it is parsed: all of it, if the response ends there."""
        self._begin()

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_reusable(self) -> bool:
        """Whether a request can be sent on this connection.

        It cannot once the server has sent data or closed, which a busy event loop may not have noticed yet. A request
        on a closed connection fails and must not be retried.
        """
        return self.is_open and not self._watched.poll(0)

    def send(self, request: bytes) -> asyncio.Future[ClientResponse]:
        """Send a request.

        The future may raise `ExchangeFailed`; the caller closes the connection if it cancels it.
        """
        assert self._transport is not None
        self._waiter = waiter = self._loop.create_future()
        self._is_fresh = True
        self._transport.write(request)
        return waiter

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.abort()

    def fail(self, reason: str) -> None:
        """Fail the current request and close the connection."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(ExchangeFailed(reason))
        self.close()

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Requests may be sent."""
        self._transport = cast("asyncio.Transport", transport)
        self._watched.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """A chunk of a response, or unsolicited data."""
        if self._waiter is None:
            self.close()
            return
        if self._is_fresh:
            response = self._heads.find(data)
            if response is not None:
                self._deliver(response, keep_alive=True)
                return
            self._is_fresh = False
            self._whole = data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(f"malformed response: {error}")
        self._whole = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed, which ends a response without a length."""
        if self._until_the_end and exc is None:
            self._complete()
        self.fail("connection closed" if exc is None else str(exc) or type(exc).__name__)
        self._transport = None

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Start a response.

        An unsolicited one closes the connection, so that no later request gets it.
        """
        self._begin()
        if self._waiter is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Record the few headers that matter."""
        name = name.lower()
        if name == b"content-encoding":
            self._gzipped = value.lower() == b"gzip"
        elif name == b"location":
            self._location = value.decode("utf-8", "replace")
        elif name in {b"content-length", b"transfer-encoding"}:
            self._is_framed = True

    def on_headers_complete(self) -> None:
        """Status and body framing are known."""
        self._until_the_end = not self._is_framed and self._parser.get_status_code() not in {204, 304}

    def on_body(self, data: bytes) -> None:
        """A chunk of the body."""
        self._size += len(data)
        if self._size > self._max_body:
            self.fail(f"response longer than {self._max_body} bytes")
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """Complete a response.

        One with a status below 200 is followed by the final one.
        """
        if self._parser.get_status_code() >= 200:
            self._complete()

    # ----------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._body: list[bytes] = []
        self._size = 0
        self._location = ""
        self._gzipped = False
        self._is_framed = False
        self._until_the_end = False

    def _complete(self) -> None:
        self._until_the_end = False
        if self._waiter is None:
            return
        body = b"".join(self._body)
        if self._gzipped and body:
            try:
                body = _unpacked(body, self._max_body)
            except ExchangeFailed as failure:
                self.fail(str(failure))
                return
        response = ClientResponse(self._parser.get_status_code(), body, self._location)
        keep_alive = self._parser.should_keep_alive()
        if keep_alive and self._whole and not self._gzipped and not self._location:
            self._heads.add(self._whole, response)
        self._deliver(response, keep_alive=keep_alive)

    def _deliver(self, response: ClientResponse, *, keep_alive: bool) -> None:
        """Complete the request. `keep_alive`: the connection may be reused."""
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():  # cancelled: the caller is about to close
            return
        waiter.set_result(response)
        if keep_alive and self.is_open:
            self._on_idle(self)
        else:
            self.close()


def _unpacked(body: bytes, longest: int) -> bytes:
    inflate = zlib.decompressobj(_GZIP)
    try:
        unpacked = inflate.decompress(body, longest)
    except zlib.error as error:
        raise ExchangeFailed(f"malformed response: {error}") from None
    if inflate.unconsumed_tail:
        raise ExchangeFailed(f"response longer than {longest} bytes")
    if not inflate.eof:
        raise ExchangeFailed("malformed response: gzip ends early")
    return unpacked
