"""An HTTP/2 client on the h2 library that lets a test do what no good client does."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from hyperframe.frame import Frame, GoAwayFrame

Field = tuple[str, str]


@dataclass
class Answer:
    """What has come on one stream."""

    status: int = 0
    headers: list[Field] = field(default_factory=list)
    interim: list[int] = field(default_factory=list)
    body: bytes = b""
    trailers: list[Field] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None
    """The error code the stream was reset with before it ended."""

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.ended or self.reset is not None

    def header(self, name: str) -> str | None:
        """The value of a header."""
        return dict(self.headers).get(name)


class _Engine(H2Connection):
    """h2 receives nothing behind a GOAWAY, though streams go on."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        event = ConnectionTerminated()
        event.error_code, event.additional_data = frame.error_code, frame.additional_data
        return [], [event]


class Http2Client:
    """One connection. `greedy` ones give back room for what they receive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, greedy: bool = True) -> None:
        self.reader, self.writer, self.greedy = reader, writer, greedy
        self.engine = _Engine(
            H2Configuration(
                header_encoding="utf-8",
                validate_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.answers: dict[int, Answer] = {}
        self.gone: int | None = None
        """The error code of the server's GOAWAY."""
        self.gone_detail = b""
        self.closed = False
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls, port: int, ssl: object = None, *, greedy: bool = True, window: int | None = None
    ) -> "Http2Client":
        """Connect and say hello."""
        name = {"server_hostname": "localhost"} if ssl is not None else {}
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ssl, **name)  # type: ignore[call-overload]
        client = cls(reader, writer, greedy=greedy)
        client.engine.initiate_connection()
        if window is not None:
            client.engine.update_settings({4: window})
        client.flush()
        return client

    def flush(self) -> None:
        """Write what the library has made."""
        if data := self.engine.data_to_send():
            self.writer.write(data)

    def send(self, headers: list[Field], *, end: bool = True) -> int:
        """Open a stream with these fields, pseudo-headers included; returns its number."""
        number = self.engine.get_next_available_stream_id()
        self.answers[number] = Answer()
        self.engine.send_headers(number, headers, end_stream=end)
        self.flush()
        return number

    def send_data(self, number: int, data: bytes, *, end: bool = False) -> None:
        """Send a piece of a body that fits the window."""
        self.engine.send_data(number, data, end_stream=end)
        self.flush()

    def reset(self, number: int, code: int = 8) -> None:
        """Give a stream up."""
        self.engine.reset_stream(number, code)
        self.flush()

    async def request(
        self, method: str, path: str, body: bytes | None = None, headers: list[Field] | None = None
    ) -> Answer:
        """Ask, and return the whole answer."""
        number = self.send(fields(method, path, *(headers or [])), end=body is None)
        rest = memoryview(body or b"")
        while rest and not self.answers[number].over:
            size = min(len(rest), self.engine.local_flow_control_window(number), 16384)
            if size:
                self.send_data(number, bytes(rest[:size]))
                rest = rest[size:]
            else:
                await self.change()
        if body is not None and not self.answers[number].over:
            with contextlib.suppress(ProtocolError):
                self.engine.end_stream(number)
                self.flush()
        return await self.whole(number)

    async def whole(self, number: int) -> Answer:
        """Wait for the end of an answer."""
        answer = self.answers[number]
        await self.until(lambda: answer.over or self.closed)
        return answer

    async def until(self, condition: object, seconds: float = 5.0) -> None:
        """Wait until `condition()` holds."""
        async with asyncio.timeout(seconds):
            while not condition():  # type: ignore[operator]
                await self.change()

    async def change(self) -> None:
        """Wait until something has come."""
        self._changed.clear()
        await self._changed.wait()

    async def close(self) -> None:
        """Close the socket."""
        self._task.cancel()
        self.writer.transport.abort()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _read(self) -> None:
        with contextlib.suppress(OSError, ProtocolError):
            while data := await self.reader.read(1 << 16):
                for event in self.engine.receive_data(data):
                    self._take(event)
                self.flush()
                self._changed.set()
        self.closed = True
        self._changed.set()

    def _take(self, event: object) -> None:
        if isinstance(event, ConnectionTerminated):
            self.gone, self.gone_detail = int(event.error_code or 0), event.additional_data or b""
            return
        answer = self.answers.get(getattr(event, "stream_id", None) or 0)
        if answer is None:
            return
        if isinstance(event, InformationalResponseReceived):
            answer.interim.append(int(event.headers[0][1]))
        elif isinstance(event, ResponseReceived):
            answer.status = int(event.headers[0][1])
            answer.headers = [(str(name), str(value)) for name, value in event.headers[1:]]
        elif isinstance(event, TrailersReceived):
            answer.trailers = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, DataReceived):
            answer.body += event.data or b""
            if self.greedy:
                self.engine.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        elif isinstance(event, StreamEnded):
            answer.ended = True
        elif isinstance(event, StreamReset) and not answer.ended:
            answer.reset = int(event.error_code or 0)


def fields(method: str, path: str, *more: Field, scheme: str = "http") -> list[Field]:
    """The fields of a usual request."""
    return [(":method", method), (":scheme", scheme), (":path", path), (":authority", "localhost"), *more]
