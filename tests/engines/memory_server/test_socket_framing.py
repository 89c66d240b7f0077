"""Encoding of messages to frames, and decoding."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.engines.memory_server.socket_framing import FLUSH_SIZE, MAX_FRAME, FrameReader, FrameWriter, MalformedFrame

decode = msgspec.msgpack.Decoder(list[bytes]).decode


def framed(*batches: list[bytes]) -> list[bytes]:
    """The frames of messages that are added in several turns of the event loop."""
    sent: list[bytes] = []

    async def send() -> None:
        writer = FrameWriter(asyncio.get_running_loop(), sent.append, lambda: True)
        for batch in batches:
            for message in batch:
                writer.add_encoded(message, MAX_FRAME)
            await asyncio.sleep(0)

    asyncio.run(send())
    return sent


def test_messages_of_one_turn_leave_together():
    assert len(framed([b"1", b"2", b"3"], [b"4"])) == 2


def test_no_messages_send_no_frame():
    assert framed([], []) == []


def test_many_bytes_are_sent_in_several_frames():
    sent = framed([b"x" * (FLUSH_SIZE // 3 + 1)] * 10)
    assert len(sent) == 5
    assert max(map(len, sent)) < FLUSH_SIZE + 100


def test_a_message_beyond_the_flush_size_is_sent_alone():
    sent = framed([b"1", b"x" * (2 * FLUSH_SIZE), b"2"])
    assert [len(FrameReader(decode).feed(each)) for each in sent] == [1, 1, 1]


@given(st.lists(st.lists(st.binary(max_size=300)), max_size=4), st.data())
def test_frames_are_decoded_from_any_chunks(batches, data):
    sent = b"".join(framed(*batches))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    reader = FrameReader(decode)
    got = [message for start, end in pairwise([0, *cuts, len(sent)]) for message in reader.feed(sent[start:end])]
    assert got == [message for batch in batches for message in batch]


def test_a_too_long_frame_is_refused_by_its_length():
    with pytest.raises(MalformedFrame, match="a frame of"):
        FrameReader(decode).feed((MAX_FRAME + 1).to_bytes(4, "big"))


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(b"\xc1", id="no-messagepack"),
        pytest.param(b"\xa3abc", id="no-array"),
        pytest.param(b"\x93\xc4\x011", id="an-array-that-ends-early"),
        pytest.param(b"\x91\x01", id="other-messages"),
        pytest.param(b"\x91\xc4\x011more", id="more-than-an-array"),
    ],
)
def test_malformed_frames_are_refused(noise):
    with pytest.raises(MalformedFrame):
        FrameReader(decode).feed(len(noise).to_bytes(4, "big") + noise)
