"""Encoding of messages in a response body, and the state after its end."""

from __future__ import annotations

from typing import Any

from fanjet.net.http1.stream import chunked, unframed
from fanjet.protocol.codes import DISCONNECT_SHUTDOWN
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.protobuf_encoding.codec import PROTOBUF
from fanjet.transports.response_stream import ResponseStreamTransport, event, line, wire_format


def test_a_message_becomes_one_chunk() -> None:
    assert wire_format("t", JSON, line, chunked).frame(b'{"a":1}') == b'8\r\n{"a":1}\n\r\n'
    assert wire_format("t", JSON, event, chunked).ping == b"a\r\ndata: {}\n\n\r\n"
    assert wire_format("t", PROTOBUF, unframed, chunked).ping == b"1\r\n\0\r\n"


def test_where_the_protocol_frames_bodies_it_stays_a_line() -> None:
    assert wire_format("t", JSON, line, unframed).ping == b"{}\n"
    assert wire_format("t", PROTOBUF, unframed, unframed).frame(b"\2ab") == b"\2ab"


def test_carriage_returns_do_not_cut_an_event() -> None:
    assert event(b'{"a":\r 1}') == b'data: {"a": 1}\n\n'


def test_equal_formats_are_one_object_so_that_their_connections_share_frames() -> None:
    assert wire_format("t", JSON, line, chunked) is wire_format("t", JSON, line, chunked)
    different = {wire_format("t", JSON, how, framing) for how in (line, event) for framing in (chunked, unframed)}
    assert len(different) == 4


class Body:
    """A response's body that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.finished = 0
        self.body_framing = chunked

    def stream(self, status: int, owner: object, content_type: bytes, headers: object) -> Any:
        return self

    def write(self, data: bytes) -> None:
        assert not self.finished, "written after the end"
        self.written.append(data)

    def finish(self) -> None:
        self.finished += 1


def test_writes_after_the_end_are_discarded() -> None:
    body: Any = Body()
    transport = ResponseStreamTransport(wire_format("t", JSON, line, chunked))
    assert transport.open(body, b"", (), b"\r\n")
    transport.write(b"frame")
    transport.end(DISCONNECT_SHUTDOWN)
    transport.write(b"another")
    transport.end(DISCONNECT_SHUTDOWN)
    transport.on_blocked()
    transport.on_lost()
    assert body.written == [b"2\r\n\r\n\r\n", b"frame"]
    assert body.finished == 1
