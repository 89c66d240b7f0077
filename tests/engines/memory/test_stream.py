"""The stream compared with a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.engines.memory.stream import Stream
from fanjet.protocol.publication import Publication, StreamPosition


def filled(count: int, size: int) -> Stream:
    stream = Stream()
    for offset in range(1, count + 1):
        stream.append(Publication(b"", offset), size, "")
    return stream


@given(
    count=st.integers(0, 12),
    size=st.integers(1, 12),
    since=st.none() | st.integers(0, 15),
    limit=st.integers(-1, 14),
    reverse=st.booleans(),
)
def test_reads_agree_with_a_plain_list(count, size, since, limit, reverse):
    stored = list(range(1, count + 1))[-size:]
    if since is None:
        expected = stored[::-1] if reverse else stored
    elif not reverse:
        expected = [offset for offset in stored if offset > since]
    else:
        expected = [offset for offset in reversed(stored) if offset < since] if since - 1 in stored else []
    position = None if since is None else StreamPosition(since, "any")
    read = filled(count, size).read(position, limit, reverse=reverse)
    assert [publication.offset for publication in read] == (expected if limit < 0 else expected[:limit])


@pytest.mark.parametrize(
    ("since", "reverse", "expected"),
    [
        pytest.param(2**64 - 1, False, [1, 2], id="nothing-follows-the-last-offset-so-it-wraps"),
        pytest.param(2**64 - 2, False, [], id="beyond-top"),
        pytest.param(0, True, [], id="nothing-is-before-zero"),
        pytest.param(2**64 - 1, True, [], id="before-far-past-top"),
    ],
)
def test_offsets_are_unsigned_64_bit_numbers(since, reverse, expected):
    read = filled(2, 10).read(StreamPosition(since, "e"), -1, reverse=reverse)
    assert [publication.offset for publication in read] == expected


def test_a_cleared_stream_has_nothing_to_read_and_keeps_its_position():
    stream = filled(3, 10)
    before = stream.position
    stream.clear()
    assert stream.read(None, -1, reverse=True) == []
    assert stream.read(StreamPosition(1, ""), -1, reverse=False) == []
    assert stream.newest is None
    assert stream.position == before
