"""A client that speaks the protocol as it is over WebTransport, in JSON or Protobuf."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support import protobuf
from tests.support.conversation import Conversation
from tests.support.http3_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.http3_client import Session

NAMELESS = (3000, "connection closed")
"""How a session ends whose stream ended without a disconnect push."""


class WebTransportClient(Conversation):
    """One session. Frames of commands follow each other on its stream, and so do messages."""

    def __init__(self, session: Session, *, is_protobuf: bool, answers_pings: bool = True) -> None:
        super().__init__(is_protobuf=is_protobuf, answers_pings=answers_pings)
        self.session = session
        self.disconnect: tuple[int | None, str | None] = (None, None)
        """What the disconnect push said."""
        self._rest = b""
        session.open()
        self._reader = asyncio.create_task(self._read())

    async def send_frame(self, frame: str | bytes) -> None:
        """Send commands, in JSON with the newline behind the last."""
        self.session.send(frame.encode() + b"\n" if isinstance(frame, str) else frame)

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end of the session; the push before it has to say the same, if there was one."""
        await self._reader
        end = await self.session.end()
        assert end is not None
        assert self.disconnect in ((None, None), end)
        return end

    async def _read(self) -> None:
        taken, stream, client = 0, self.session.stream, self.session.client
        while not stream.over and client.closed is None:
            await client.until_news()
            self._rest += stream.data[taken:]
            taken = len(stream.data)
            for frame in self._frames():
                for message, text in self.messages_of(frame):
                    await self._take(message, text)
        self._ended.set()

    async def _take(self, message: dict[str, Any], text: str) -> None:
        disconnect = message.get("push", {}).get("disconnect")
        if disconnect is None:
            await self.take(message, text)
        else:
            self.disconnect = (disconnect["code"], disconnect["reason"])

    def _frames(self) -> list[str | bytes]:
        """What is whole of that which has come and has not been taken."""
        if self.is_protobuf:
            whole = protobuf.whole_messages(self._rest)
            frame, self._rest = self._rest[:whole], self._rest[whole:]
            return [frame] if frame else []
        *lines, self._rest = self._rest.split(b"\n")
        return [line.decode() for line in lines]


@asynccontextmanager
async def session_opened(
    url: str, *, is_protobuf: bool = False, answers_pings: bool = True, query: str = ""
) -> AsyncIterator[WebTransportClient]:
    """A client with an open stream that has not sent anything."""
    port = urlsplit(url).port
    assert port is not None
    path = "/connection/webtransport" + (query or ("?cf_protocol=protobuf" if is_protobuf else ""))
    async with connected(port) as client:
        session = await client.session(path)
        made = WebTransportClient(session, is_protobuf=is_protobuf, answers_pings=answers_pings)
        yield made
        made._reader.cancel()
