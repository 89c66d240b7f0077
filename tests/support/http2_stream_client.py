"""The client of HTTP streaming and SSE, over one HTTP/2 connection for everything that it sends."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from tests.support.http2_client import Http2Client, fields
from tests.support.stream_client import BINARY, StreamClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Http2Response:
    """A response that is being streamed, with as much of aiohttp's interface as `StreamClient` needs."""

    def __init__(self, http2: Http2Client, number: int) -> None:
        self._http2 = http2
        self._number = number
        self.content = self

    @property
    def status(self) -> int:
        """The status; 0 when the stream was reset without any."""
        return self._http2.answers[self._number].status

    async def iter_any(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        answer, taken = self._http2.answers[self._number], 0
        while True:
            if len(answer.body) > taken:
                piece, taken = answer.body[taken:], len(answer.body)
                yield piece
            elif answer.over or self._http2.closed:
                return
            else:
                await self._http2.change()

    def close(self) -> None:
        """Give the stream up."""
        if not (self._http2.answers[self._number].over or self._http2.closed):
            self._http2.reset(self._number)


class Http2StreamClient(StreamClient):
    """See `StreamClient`."""

    def __init__(self, http2: Http2Client, url: str, *, transport: str, **how: Any) -> None:
        super().__init__(None, url, transport=transport, **how)  # type: ignore[arg-type]
        self._http2 = http2

    async def _ask(self, frame: str | bytes) -> Any:
        body = frame.encode() if isinstance(frame, str) else frame
        if self._transport == "sse":
            number = self._http2.send(fields("GET", f"/connection/sse?cf_connect={quote(body)}"))
        else:
            number = self._http2.send(fields("POST", "/connection/http_stream", self._content_type), end=False)
            self._http2.send_data(number, body, end=True)
        answer = self._http2.answers[number]
        await self._http2.until(lambda: answer.status or answer.over)
        return Http2Response(self._http2, number)

    async def post_emulation(self, body: bytes) -> int:
        """See the base."""
        answer = await self._http2.request("POST", "/emulation", body, [self._content_type])
        assert answer.body == b""
        return answer.status

    @property
    def _content_type(self) -> tuple[str, str]:
        return "content-type", BINARY if self.is_protobuf else "application/json"


@asynccontextmanager
async def http2_stream_opened(
    url: str, transport: str, *, trusted: str = "", **how: Any
) -> AsyncIterator[Http2StreamClient]:
    """A client that has not sent anything. `trusted`: the certificate of a server with TLS; without, HTTP/2 is spoken
    by prior knowledge."""
    context = None
    if trusted:
        context = ssl.create_default_context(cadata=trusted)
        context.set_alpn_protocols(["h2"])
    http2 = await Http2Client.open(urlsplit(url).port or 0, context)
    client = Http2StreamClient(http2, url, transport=transport, **how)
    try:
        yield client
    finally:
        client.leave()
        if client._reader is not None:
            client._reader.cancel()
        await http2.close()
