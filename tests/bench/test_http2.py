"""The client side of HTTP/2 and gRPC, against `h2` as the server."""

import hpack
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, PingAckReceived, RequestReceived, SettingsAcknowledged, StreamEnded
from hypothesis import given
from hypothesis import strategies as st

from fanjet.bench.clients import http2
from fanjet.bench.clients.grpc import MessageReader, StatusReader, call, call_fields


def opened() -> tuple[H2Connection, list[Event]]:
    """A server that has read the preface and the first call."""
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    block = hpack.Encoder().encode(call_fields("host:1", "/S/M", authorization="apikey k"))
    return server, server.receive_data(http2.CLIENT_PREFACE + call(1, block, b"hello"))


def test_a_server_reads_the_call() -> None:
    _, events = opened()
    [request] = [event for event in events if isinstance(event, RequestReceived)]
    headers = dict(request.headers or [])
    assert headers[b":path"] == b"/S/M"
    assert headers[b"te"] == b"trailers"
    assert headers[b"authorization"] == b"apikey k"
    assert [event.data for event in events if isinstance(event, DataReceived)] == [b"\0\0\0\0\5hello"]
    assert any(isinstance(event, StreamEnded) for event in events)


def test_settings_and_pings_are_acknowledged_and_acknowledgements_are_not() -> None:
    server, _ = opened()
    server.ping(b"12345678")
    frames = list(http2.Http2Reader().frames(server.data_to_send()))
    answers = b"".join(map(http2.ack_for, frames))
    kinds = {type(event) for event in server.receive_data(answers)}
    assert kinds == {SettingsAcknowledged, PingAckReceived}
    assert [http2.ack_for(frame) for frame in http2.Http2Reader().frames(answers)] == [b"", b""]


def test_windows_take_more_than_a_run_sends() -> None:
    server, _ = opened()
    assert server.local_flow_control_window(1) == 2**31 - 1


@pytest.mark.parametrize("end", ["reset_stream", "close_connection"])
def test_a_code_that_ends_a_call_is_found(end: str) -> None:
    server, _ = opened()
    server.data_to_send()
    server.reset_stream(1, 8) if end == "reset_stream" else server.close_connection(8)
    [frame] = http2.Http2Reader().frames(server.data_to_send())
    assert http2.error_code(frame) == b"\0\x08"


@given(st.lists(st.binary(max_size=300), max_size=4), st.data())
def test_the_same_messages_come_out_however_the_bytes_are_cut(messages: list[bytes], data: st.DataObject) -> None:
    body = b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)
    pieces = cut(body, data)
    frames = b"".join(http2.frame(http2.DATA, 0, 1, piece) for piece in pieces)
    http, grpc = http2.Http2Reader(), MessageReader()
    got = [
        message
        for chunk in cut(frames, data)
        for frame in http.frames(chunk)
        for message in grpc.messages(frame.payload)
    ]
    assert got == messages


def cut(stream: bytes, data: st.DataObject) -> list[bytes]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def test_only_a_status_other_than_ok_is_a_failure() -> None:
    encoder, statuses = hpack.Encoder(), StatusReader()
    blocks: list[list[tuple[str, str]]] = [
        [(":status", "200"), ("content-type", "application/grpc")],
        [("grpc-status", "0")],
        [("grpc-status", "16"), ("grpc-message", "who are you")],
    ]
    assert [statuses.failure(encoder.encode(block)) for block in blocks] == [None, None, (16, "who are you")]
