"""A client without a socket: a transport that records writes, can be full, and passes frames to its session."""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from fanjet.client.session import Session
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.wire import WireFormat
from tests.support.tokens import token

if TYPE_CHECKING:
    from fanjet.client.context import ClientContext
    from fanjet.protocol.codes import Disconnect

LINES = WireFormat("lines", JSON, lambda message: message + b"\n")


class FakeTransport:
    """The kernel takes what is written until `full`; then one more write is buffered and reported as blocked."""

    name = "fake"
    emulated = False
    wire = LINES
    write_timeout = 1.0

    def __init__(self) -> None:
        self.session: Session | None = None
        self.pushes_disconnect = False
        self.app_pings = True
        self.writes: list[bytes] = []
        self.full = False
        self.ended: Disconnect | None = None
        self.aborted = False
        self.abandoned = False
        self.paused = False
        self.pauses = 0
        self._incoming: deque[bytes] = deque()
        self._delivering = False

    def write(self, data: bytes) -> None:
        assert self.ended is None, "written after the end"
        self.writes.append(data)
        if self.full and self.session is not None:
            self.session.on_blocked()

    def end(self, disconnect: Disconnect) -> None:
        assert self.ended is None, "ended twice"
        self.ended = disconnect
        self.session = None

    def abort(self) -> None:
        self.aborted = True
        self.session = None

    def abandon(self) -> None:
        self.abandoned = True

    def pause_reading(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume_reading(self) -> None:
        self.paused = False
        if not self._delivering:
            self._deliver()

    def receive(self, frame: bytes) -> None:
        """A frame has come from the client."""
        self._incoming.append(frame)
        if not self._delivering:
            self._deliver()

    def _deliver(self) -> None:
        self._delivering = True
        while self._incoming and not self.paused and self.session is not None:
            self.session.on_bytes(self._incoming.popleft())
        self._delivering = False

    @property
    def unread(self) -> int:
        """Frames that wait because reading is paused."""
        return len(self._incoming)

    def lose(self) -> None:
        """The client is gone."""
        session, self.session = self.session, None
        if session is not None:
            session.on_lost()

    def drain(self) -> None:
        """The kernel has taken everything."""
        self.full = False
        if self.session is not None:
            self.session.on_writable()


class Client:
    """One connection, seen from its client."""

    def __init__(self, context: ClientContext) -> None:
        self.transport = FakeTransport()
        self.session = self.transport.session = Session(context, self.transport)
        self._ids = itertools.count(1)

    def send(self, *commands: dict[str, Any]) -> list[int]:
        """Send commands in one frame. Returns their ids."""
        ids = [next(self._ids) for _ in commands]
        lines = [json.dumps({"id": number, **command}) for number, command in zip(ids, commands, strict=True)]
        self.transport.receive("\n".join(lines).encode())
        return ids

    def call(self, **command: Any) -> dict[str, Any]:
        """Send a command that is answered at once, and return the answer."""
        (number,) = self.send(command)
        return self.reply(number)

    def connect(self, user: str = "ann", **claims: Any) -> dict[str, Any]:
        return self.call(connect={"token": token(user, **claims)})

    def pong(self) -> None:
        self.transport.receive(b"{}")

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All that was written."""
        return [json.loads(line) for line in b"".join(self.transport.writes).splitlines()]

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [message for message in self.messages if "id" in message]

    @property
    def pushes(self) -> list[dict[str, Any]]:
        return [message["push"] for message in self.messages if "push" in message]

    @property
    def pings(self) -> int:
        return self.messages.count({})

    @property
    def answered(self) -> list[int]:
        """Ids of the replies, in order."""
        return [message["id"] for message in self.replies]

    def reply(self, number: int) -> dict[str, Any]:
        found = [message for message in self.replies if message["id"] == number]
        assert len(found) == 1, f"{len(found)} replies to command {number}: {self.messages}, closed: {self.code}"
        return found[0]

    def error(self, number: int) -> int:
        return int(self.reply(number)["error"]["code"])

    def data(self, channel: str = "news") -> list[Any]:
        """Payloads of the channel's publications, as they came."""
        return [push["pub"]["data"] for push in self.pushes if push.get("channel") == channel and "pub" in push]

    @property
    def code(self) -> int | None:
        """Code with which the server has ended the connection."""
        return None if self.transport.ended is None else self.transport.ended.code
