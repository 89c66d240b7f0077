"""gRPC calls on real sockets, byte by byte."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from h2.events import SettingsAcknowledged

from fanjet.net.binding import bind_tcp
from fanjet.net.grpc.framing import MessageReader, frame, gzip_frame
from fanjet.net.grpc.server import GrpcServer, Service, bidi_streaming, server_streaming, unary
from fanjet.net.grpc.status import GrpcError, StatusCode
from fanjet.net.http2.server import Http2Server
from fanjet.net.listener import Listener
from fanjet.net.timing_wheel import TimingWheel
from tests.support.http2_client import Answer, Field, Http2Client, fields

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fanjet.net.grpc.call import StreamingCall
    from fanjet.net.grpc.head import CallHead

MAX_MESSAGE = 1000
GRPC: tuple[Field, ...] = (("content-type", "application/grpc"), ("te", "trailers"))


class Stream:
    """Owns a streaming call, and notes what becomes of it."""

    def __init__(self, call: StreamingCall) -> None:
        self.call = call
        self.told: list[str] = []
        self.lost = asyncio.Event()
        call.open()

    def on_blocked(self) -> None:
        self.told.append("blocked")

    def on_writable(self) -> None:
        self.told.append("writable")

    def on_lost(self) -> None:
        self.told.append("lost")
        self.lost.set()


class Echo:
    """Answers every message with itself."""

    def __init__(self, call: StreamingCall) -> None:
        self.call = call
        call.open()

    def on_message(self, message: bytes) -> None:
        if message == b"no":
            raise GrpcError(StatusCode.ABORTED, "no")
        self.call.write(frame(message))

    def on_end(self) -> None:
        self.call.finish()


class Served:
    """A server with a service of every kind, and what happened on it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: list[Stream] = []
        self.may_finish = asyncio.Event()
        self.has_finished = asyncio.Event()

    async def upper(self, message: bytes, _head: CallHead) -> bytes:
        if message == b"fail":
            raise RuntimeError("a defect")
        return message.upper()

    async def slow(self, message: bytes, _head: CallHead) -> bytes:
        await self.may_finish.wait()
        self.has_finished.set()
        return message

    def listen(self, call: StreamingCall, message: bytes) -> Stream:
        self.streams.append(Stream(call))
        call.write(frame(message))
        return self.streams[-1]

    async def call(self, method: str, body: bytes, *more: Field, window: int | None = None) -> Answer:
        client = await Http2Client.open(self.port, window=window)
        try:
            return await client.request("POST", f"/test.Service/{method}", body, [*GRPC, *more])
        finally:
            await client.close()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    wheel = TimingWheel()
    wheel.start(asyncio.get_running_loop())
    sockets = bind_tcp("127.0.0.1", 0)
    served = Served(sockets[0].getsockname()[1])
    methods = {
        "Upper": unary(served.upper),
        "Slow": unary(served.slow),
        "Listen": server_streaming(served.listen),
        "Echo": bidi_streaming(Echo),
    }
    server = GrpcServer([Service("test.Service", methods)], wheel, MAX_MESSAGE)
    http2 = Http2Server(server.accept, wheel)
    listener = Listener(http2, sockets)
    await listener.start()
    yield served
    served.may_finish.set()
    for connection in list(http2.connections):
        connection.abort()
    await listener.stop()
    wheel.stop()


def messages(answer: Answer, *, gzip: bool = False) -> list[bytes]:
    return list(MessageReader(1_000_000, gzip=gzip).feed(answer.body))


def status(answer: Answer) -> tuple[str, str]:
    """Code and message, from the trailers or from the headers of an answer that has nothing else."""
    found = dict(answer.trailers or answer.headers)
    return found["grpc-status"], found["grpc-message"]


async def test_a_reply_comes_between_headers_and_trailers(served: Served) -> None:
    answer = await served.call("Upper", frame(b"hello"))
    assert (answer.status, answer.headers) == (200, [("content-type", "application/grpc")])
    assert messages(answer) == [b"HELLO"]
    assert answer.trailers == [("grpc-status", "0"), ("grpc-message", "")]


@pytest.mark.parametrize("request_", [gzip_frame(b"hello"), frame(b"hello")], ids=["compressed", "not"])
async def test_the_reply_to_a_request_that_speaks_gzip_is_compressed(served: Served, request_: bytes) -> None:
    answer = await served.call("Upper", request_, ("grpc-encoding", "gzip"))
    assert answer.header("grpc-encoding") == "gzip"
    assert answer.body[:1] == b"\1"
    assert messages(answer, gzip=True) == [b"HELLO"]


@pytest.mark.parametrize("asked", ["application/grpc+proto", "application/grpc+json"])
async def test_the_content_type_of_the_answer_is_that_of_the_request(served: Served, asked: str) -> None:
    client = await Http2Client.open(served.port)
    answer = await client.request("POST", "/test.Service/Upper", frame(b"a"), [("content-type", asked)])
    await client.close()
    assert answer.header("content-type") == asked


@pytest.mark.parametrize(
    ("method", "path", "content_type", "http_status", "code"),
    [
        ("POST", "/test.Service/Upper", "application/json", 415, "3"),
        ("GET", "/test.Service/Upper", "application/grpc", 405, "13"),
        ("POST", "/test.Service/Nope", "application/grpc", 200, "12"),
        ("POST", "/nope", "application/grpc", 200, "12"),
        ("POST", "/a/b/c", "application/grpc", 200, "12"),
    ],
)
async def test_what_begins_no_call_is_refused_at_once(
    served: Served, method: str, path: str, content_type: str, http_status: int, code: str
) -> None:
    client = await Http2Client.open(served.port)
    number = client.send(fields(method, path, ("content-type", content_type)), end=False)
    answer = await client.whole(number)  # the body has not been sent
    await client.close()
    assert (answer.status, status(answer)[0]) == (http_status, code)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", ("2", "EOF"), id="nothing"),
        pytest.param(b"\0\0", ("2", "EOF"), id="half-a-prefix"),
        pytest.param(frame(b"hello")[:-1], ("2", "unexpected EOF"), id="half-a-message"),
        pytest.param(
            frame(b"x" * (MAX_MESSAGE + 1)),
            ("8", f"grpc: received message larger than max ({MAX_MESSAGE + 1} vs. {MAX_MESSAGE})"),
            id="too-large",
        ),
        pytest.param(frame(b"fail"), ("13", "internal error"), id="defect"),
    ],
)
async def test_calls_that_cannot_be_answered_say_why(
    served: Served, body: bytes, expected: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert status(await served.call("Upper", body)) == expected


async def test_a_call_of_no_time_is_not_begun(served: Served) -> None:
    assert status(await served.call("Upper", frame(b"a"), ("grpc-timeout", "1n")))[0] == "4"


async def test_a_call_ends_at_its_deadline_and_the_work_goes_on(served: Served) -> None:
    answer = await served.call("Slow", frame(b"work"), ("grpc-timeout", "50m"))
    assert answer.reset == 8
    served.may_finish.set()
    await asyncio.wait_for(served.has_finished.wait(), 5)


async def test_a_cancelled_call_is_answered_by_nothing(served: Served) -> None:
    client = await Http2Client.open(served.port)
    number = client.send(fields("POST", "/test.Service/Slow", *GRPC), end=False)
    client.send_data(number, frame(b"work"), end=True)
    client.reset(number)
    served.may_finish.set()
    answer = await client.request("POST", "/test.Service/Upper", frame(b"on"), list(GRPC))
    await client.close()
    assert messages(answer) == [b"ON"]


async def opened_stream(served: Served, **how: Any) -> tuple[Http2Client, int, Stream]:
    client = await Http2Client.open(served.port, **how)
    number = client.send(fields("POST", "/test.Service/Listen", *GRPC), end=False)
    client.send_data(number, frame(b"first"), end=True)
    await client.until(lambda: client.answers[number].body)
    return client, number, served.streams[-1]


async def test_a_stream_ends_with_its_status(served: Served) -> None:
    client, number, stream = await opened_stream(served)
    stream.call.write(frame(b"a") + frame(b"b"))
    stream.call.finish()
    answer = await client.whole(number)
    await client.close()
    assert messages(answer) == [b"first", b"a", b"b"]
    assert status(answer) == ("0", "")
    assert stream.told == []


async def test_a_stream_tells_when_its_client_cancels(served: Served) -> None:
    client, number, stream = await opened_stream(served)
    client.reset(number)
    await asyncio.wait_for(stream.lost.wait(), 5)
    await client.close()
    assert stream.told == ["lost"]


async def test_a_stream_tells_when_its_client_does_not_keep_up(served: Served) -> None:
    client, number, stream = await opened_stream(served, greedy=False, window=100)
    stream.call.write(frame(b"x" * 200))
    assert stream.told == ["blocked"]
    client.engine.increment_flow_control_window(1000, number)
    client.flush()
    await client.until(lambda: len(client.answers[number].body) == 10 + 205)
    assert stream.told == ["blocked", "writable"]
    stream.call.abort()
    assert (await client.whole(number)).reset == 8
    await client.close()


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "received no request message"), (frame(b"a") * 2, "received multiple request messages")],
)
async def test_a_stream_begins_with_one_message(served: Served, body: bytes, reason: str) -> None:
    code, message = status(await served.call("Listen", body))
    assert (code, message) == ("13", f"cardinality violation: {reason} {_FROM[reason]} non-client-streaming RPC")


_FROM = {"received no request message": "from", "received multiple request messages": "for"}


async def test_a_dialogue_answers_message_by_message(served: Served) -> None:
    answer = await served.call("Echo", frame(b"a") + frame(b"b"))
    assert (messages(answer), status(answer)) == ([b"a", b"b"], ("0", ""))


async def test_a_dialogue_may_end_in_an_error(served: Served) -> None:
    answer = await served.call("Echo", frame(b"a") + frame(b"no") + frame(b"b"))
    assert (messages(answer), status(answer)) == ([b"a"], ("10", "no"))


async def test_who_does_not_take_answers_is_not_asked_for_more(served: Served) -> None:
    client = await Http2Client.open(served.port, greedy=False, window=10)
    number = client.send(fields("POST", "/test.Service/Echo", *GRPC), end=False)
    client.send_data(number, frame(b"x" * 20) * 10, end=True)
    await client.until(lambda: len(client.answers[number].body) == 10)
    client.engine.increment_flow_control_window(100_000, number)
    client.flush()
    answer = await client.whole(number)
    await client.close()
    assert messages(answer) == [b"x" * 20] * 10


async def test_new_settings_are_acknowledged_before_use_is_made_of_them(served: Served) -> None:
    """Clients enforce the old ones until then: what a window allows comes behind the acknowledgement."""
    client, number, stream = await opened_stream(served, greedy=False, window=100)
    stream.call.write(frame(b"x" * 200))
    await client.until(lambda: len(client.answers[number].body) == 100)
    had_come: list[int] = []
    take = client._take

    def watch(event: object) -> None:
        if isinstance(event, SettingsAcknowledged):
            had_come.append(len(client.answers[number].body))
        take(event)

    client._take = watch
    client.engine.update_settings({4: 1000})
    client.flush()
    await client.until(lambda: len(client.answers[number].body) == 10 + 205)
    await client.close()
    assert had_come == [100]
