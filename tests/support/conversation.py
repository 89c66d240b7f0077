"""A client's side of a connection in the protocol's own terms, whatever carries it: every message in its order, every
ping and the end. `WireClient` does it over WebSocket, `StreamClient` over HTTP streaming and SSE."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.support import protobuf

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0
"""Seconds to wait for what has to come."""

Fields = dict[str, Any]


class Conversation(ABC):
    """One connection. Commands and results are dictionaries in both encodings; in Protobuf, payloads are bytes.

    Pings are kept apart from messages and answered unless `answers_pings` is False.
    """

    def __init__(self, *, is_protobuf: bool, answers_pings: bool = True) -> None:
        self.is_protobuf = is_protobuf
        self.answers_pings = answers_pings
        self.client_id = ""
        self.text = ""
        """The message taken last, as it stood in its frame (JSON)."""
        self._last_id = 0
        self._passed_over: deque[tuple[Fields, str]] = deque()
        self._messages: asyncio.Queue[tuple[Fields, str]] = asyncio.Queue()
        self._pings: asyncio.Queue[float] = asyncio.Queue()
        self._ended = asyncio.Event()

    # What a transport does its own way.

    @abstractmethod
    async def send_frame(self, frame: str | bytes) -> None:
        """Send a frame of commands as it is."""

    @abstractmethod
    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end; code and reason with which the server closed, as far as it said so."""

    # What came.

    async def take(self, message: Fields, text: str = "") -> None:
        """For the transport: a message has come, a ping as an empty one."""
        if message:
            self._messages.put_nowait((message, text))
            return
        self._pings.put_nowait(asyncio.get_running_loop().time())
        if self.answers_pings:
            await self.pong()

    def messages_of(self, frame: str | bytes) -> Iterator[tuple[Fields, str]]:
        """What a frame of messages holds."""
        if self.is_protobuf:
            assert isinstance(frame, bytes), "Protobuf comes in binary frames"
            return ((message, "") for message in protobuf.decoded(frame))
        assert isinstance(frame, str), "JSON comes in text frames"
        return ((json.loads(line), line) for line in frame.split("\n"))

    # What tests do.

    async def pong(self) -> None:
        """Answer a ping."""
        await self.send_frame(b"\0" if self.is_protobuf else "{}")

    async def send(self, *commands: Fields) -> None:
        """Send commands in one frame."""
        if self.is_protobuf:
            await self.send_frame(b"".join(map(protobuf.encoded, commands)))
        else:
            await self.send_frame("\n".join(map(json.dumps, commands)))

    async def call(self, **command: Any) -> Fields:
        """Send a command and return its result, or its reply when that is an error.

        Pushes that come before are kept for `push` and `receive`.
        """
        self._last_id += 1
        await self.send({"id": self._last_id, **command})
        passed: list[tuple[Fields, str]] = []
        while True:
            message, text = await self._next()
            if "push" not in message:
                break
            passed.append((message, text))
        self._passed_over.extend(passed)
        self.text = text
        assert message.pop("id") == self._last_id
        if "error" in message:
            return message
        (result,) = message.values()
        return dict(result)

    async def error(self, **command: Any) -> int:
        """Send a command that fails, and return the code."""
        reply = await self.call(**command)
        assert "error" in reply, reply
        assert reply["error"]["message"]
        return int(reply["error"]["code"])

    async def connect(self, **request: Any) -> Fields:
        """Connect; it has to succeed."""
        result = await self.call(connect=request)
        assert "error" not in result, result
        self.client_id = result["client"]
        return result

    async def subscribe(self, channel: str, **request: Any) -> Fields:
        """Subscribe; it has to succeed."""
        result = await self.call(subscribe={"channel": channel, **request})
        assert "error" not in result, result
        return result

    async def receive(self) -> Fields:
        """The next message, whatever it is."""
        message, self.text = self._passed_over.popleft() if self._passed_over else await self._next()
        return message

    async def push(self) -> Fields:
        """The next message, which has to be a push."""
        message = await self.receive()
        assert "push" in message, message
        return dict(message["push"])

    async def publication(self) -> Fields:
        """The next message, which has to be a publication."""
        return dict((await self.push())["pub"])

    async def pushes_so_far(self) -> list[Fields]:
        """Every push that the server had queued before it answers another command."""
        await self.call(unsubscribe={"channel": "never subscribed"})
        pushes = [dict(message["push"]) for message, _ in self._passed_over]
        self._passed_over.clear()
        return pushes

    async def ping(self) -> float:
        """Wait for a ping, and return when it came."""
        return await asyncio.wait_for(self._pings.get(), PATIENCE)

    def nothing_waits(self) -> bool:
        """Whether every message has been taken."""
        return self._messages.empty() and not self._passed_over

    async def _next(self) -> tuple[Fields, str]:
        take = asyncio.ensure_future(self._messages.get())
        end = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({take, end}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if not take.done():
                raise AssertionError(f"closed with {await self.closed()}" if end.done() else "nothing came in time")
            return take.result()
        finally:
            take.cancel()
            end.cancel()
