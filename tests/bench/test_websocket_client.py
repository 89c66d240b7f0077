"""The client side of WebSocket, against `websockets` as the server."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from fanjet.bench.clients.websocket import (
    OP_PONG,
    OP_TEXT,
    FrameReader,
    commands_frame,
    handshake,
    masked_frame,
    text_frame,
)

PAYLOADS = st.one_of(st.binary(max_size=300), st.sampled_from([b"x" * 65_535, b"y" * 65_536, b"z" * 125, b"w" * 126]))


def received_by_a_server(data: bytes) -> list[tuple[int, bytes]]:
    server = Protocol(SERVER, state=OPEN, max_size=None)
    server.receive_data(data)
    return [(frame.opcode, bytes(frame.data)) for frame in server.events_received() if isinstance(frame, Frame)]


@given(PAYLOADS)
def test_a_server_decodes_the_frames(payload: bytes) -> None:
    assert received_by_a_server(text_frame(payload)) == [(OP_TEXT, payload)]


def test_control_frames_keep_their_opcode() -> None:
    assert received_by_a_server(masked_frame(OP_PONG, b"now")) == [(Opcode.PONG, b"now")]


@given(st.lists(PAYLOADS, max_size=4), st.data())
def test_the_same_frames_come_out_however_the_bytes_are_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(Frame(Opcode.TEXT, payload).serialize(mask=False) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader()
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [payload for chunk in chunks for _, payload in reader.frames(chunk)] == payloads


def test_commands_are_one_per_line() -> None:
    [(_, payload)] = received_by_a_server(
        commands_frame({"id": 1, "connect": {}}, {"id": 2, "rpc": {"method": "ping"}})
    )
    assert [msgspec.json.decode(line)["id"] for line in payload.split(b"\n")] == [1, 2]


@pytest.mark.parametrize("header", [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"])
def test_the_handshake_has_the_required_headers(header: bytes) -> None:
    assert header in handshake("127.0.0.1", 8000).split(b"\r\n")
