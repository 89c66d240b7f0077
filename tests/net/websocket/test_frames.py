import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from fanjet.net.websocket.frames import (
    binary_frame,
    close_echo_frame,
    close_frame,
    deflated_binary_frame,
    deflated_text_frame,
    ping_frame,
    pong_frame,
    text_frame,
)


def received_by_client(data, *, deflate=False):
    """The frames that another implementation of the protocol sees."""
    client = Protocol(CLIENT, state=OPEN, max_size=None)
    if deflate:
        client.extensions = [PerMessageDeflate(True, True, 15, 15)]
    client.receive_data(data)
    assert client.parser_exc is None
    return [(frame.opcode, bytes(frame.data)) for frame in client.events_received()]


SIZES = [0, 1, 125, 126, 127, 65535, 65536, 200_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("build", "opcode"), [(text_frame, Opcode.TEXT), (binary_frame, Opcode.BINARY)])
def test_data_frames_of_every_length_form(build, opcode, size):
    payload = b"x" * size
    assert received_by_client(build(payload)) == [(opcode, payload)]


@given(st.binary(max_size=125))
def test_control_frames(payload):
    assert received_by_client(ping_frame(payload)) == [(Opcode.PING, payload)]
    assert received_by_client(pong_frame(payload)) == [(Opcode.PONG, payload)]


def test_control_frames_hold_no_more():
    with pytest.raises(ValueError, match="125"):
        ping_frame(b"x" * 126)


def test_close_frames():
    assert received_by_client(close_frame(3001, "shutdown")) == [(Opcode.CLOSE, b"\x0b\xb9shutdown")]
    assert received_by_client(close_frame(1005, "nothing")) == [(Opcode.CLOSE, b"")]
    assert received_by_client(close_frame(0x10000 + CloseCode.NORMAL_CLOSURE)) == [(Opcode.CLOSE, b"\x03\xe8")]
    assert [close_echo_frame(payload) for payload in (b"", b"\x03", b"\x03\xe8bye")] == [
        b"\x88\x00",
        b"\x88\x00",
        b"\x88\x02\x03\xe8",
    ]


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        pytest.param("x" * 123, "x" * 123, id="exactly-what-fits"),
        pytest.param("x" * 200, "x" * 123, id="cut"),
        pytest.param("é" * 62, "é" * 61, id="cut-between-characters"),
        pytest.param("x" + "é" * 61, "x" + "é" * 61, id="characters-that-just-fit"),
        pytest.param("\U0001f600" * 40, "\U0001f600" * 30, id="four-byte-characters"),
        pytest.param("\ud800", "?", id="lone-surrogate"),
    ],
)
def test_reasons_are_cut_to_what_a_frame_holds(reason, sent):
    assert close_frame(4000, reason)[4:].decode() == sent


@given(st.text())
def test_any_reason_gives_a_valid_close_frame(reason):
    ((opcode, payload),) = received_by_client(close_frame(4000, reason))
    assert opcode is Opcode.CLOSE
    assert reason.startswith(payload[2:].decode())


@pytest.mark.parametrize("level", range(-2, 10))
@pytest.mark.parametrize(
    ("factory", "opcode"), [(deflated_text_frame, Opcode.TEXT), (deflated_binary_frame, Opcode.BINARY)]
)
@pytest.mark.parametrize("size", SIZES)
def test_deflated_frames_inflate_to_the_payload(level, factory, opcode, size):
    payload = bytes(range(256)) * (size // 256 + 1)
    frame = factory(level, 0)(payload[:size])
    assert bool(frame[0] & 0x40) == (size > 0)
    assert received_by_client(frame, deflate=True) == [(opcode, payload[:size])]


def test_each_deflated_frame_stands_alone():
    build = deflated_text_frame(1, 0)
    frame = build(b"the same text again" * 10)
    assert build(b"the same text again" * 10) == frame
    body = frame[2:]
    assert zlib.decompressobj(-15).decompress(body + b"\x00\x00\xff\xff") == b"the same text again" * 10


def test_only_payloads_longer_than_the_minimum_are_deflated():
    build = deflated_text_frame(1, 100)
    assert build(b"x" * 100) == text_frame(b"x" * 100)
    assert build(b"x" * 101)[0] & 0x40


def test_equal_settings_share_one_builder():
    assert deflated_text_frame(1, 100) is deflated_text_frame(1, 100)
