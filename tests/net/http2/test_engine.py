"""Frames built without h2."""

import pytest
from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame

from fanjet.net.http2.engine import header_frames


@pytest.mark.parametrize("length", [1, 99, 100, 101, 200, 1000])
def test_header_blocks_are_cut_into_frames(length):
    block = bytes(number % 251 for number in range(length))
    rest, frames = header_frames(7, block, 100), []
    while rest:
        frame, size = Frame.parse_frame_header(memoryview(rest[:9]))
        frame.parse_body(memoryview(rest[9 : 9 + size]))
        assert size <= 100
        frames.append(frame)
        rest = rest[9 + size :]
    assert [type(frame) for frame in frames] == [HeadersFrame] + [ContinuationFrame] * (len(frames) - 1)
    assert ["END_HEADERS" in frame.flags for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert not any("END_STREAM" in frame.flags for frame in frames)
    assert {frame.stream_id for frame in frames} == {7}
    assert b"".join(frame.data for frame in frames) == block
