"""Splitting a stream into commands: any split of the bytes gives the same commands (02 §8)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.transports.command_stream import CommandStream, CommandTooLong, split_lines, split_prefixed
from tests.support.protobuf import varint

LIMIT = 200

lines = st.lists(st.binary(max_size=LIMIT).map(lambda line: line.replace(b"\n", b" ")), max_size=8)
cuts = st.lists(st.integers(0, 2000), max_size=20)


def pieces(stream: bytes, at: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(one, len(stream)) for one in at), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(bounds) if begin < end]


def whole_ones(commands: CommandStream, stream: bytes, size: int) -> bytes:
    """The commands before one that is refused, when the stream comes in pieces of this size."""
    taken = b""
    for at in range(0, len(stream), size):
        try:
            taken += commands.feed(stream[at : at + size])
        except CommandTooLong as fault:
            return taken + fault.before
    pytest.fail("none was refused")


@given(lines, cuts)
def test_lines_are_the_same_however_they_come(commands: list[bytes], at: list[int]) -> None:
    stream = CommandStream(split_lines, LIMIT)
    whole = b"".join(command + b"\n" for command in commands)
    taken = [stream.feed(piece) for piece in pieces(whole, at)]
    assert b"".join(taken) == whole
    assert all(one.endswith(b"\n") for one in taken if one)


@given(lines, cuts)
def test_prefixed_commands_are_the_same_however_they_come(commands: list[bytes], at: list[int]) -> None:
    stream = CommandStream(split_prefixed, LIMIT)
    whole = b"".join(varint(len(command)) + command for command in commands)
    ends = {0}
    for command in commands:
        ends.add(max(ends) + len(varint(len(command)) + command))
    taken = 0
    for piece in pieces(whole, at):
        taken += len(stream.feed(piece))
        assert taken in ends
    assert taken == len(whole)


@pytest.mark.parametrize("one_by_one", [True, False])
@pytest.mark.parametrize("before", [b"", b"{}\n"])
def test_a_line_may_be_as_long_as_the_limit(before: bytes, one_by_one: bool) -> None:
    size = 1 if one_by_one else LIMIT * 2
    stream = before + b"x" * LIMIT + b"\n"
    commands = CommandStream(split_lines, LIMIT)
    taken = [commands.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    assert b"".join(taken) == stream


@pytest.mark.parametrize("end", [b"\n", b"", b"\nmore\n"])
@pytest.mark.parametrize("before", [b"", b"{}\n", b"{}\n{}\n"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_longer_line_is_refused_as_soon_as_it_is(before: bytes, end: bytes, size: int) -> None:
    stream = before + b"x" * (LIMIT + 1) + end
    assert whole_ones(CommandStream(split_lines, LIMIT), stream, size) == before


@pytest.mark.parametrize(
    "prefix",
    [varint(LIMIT + 1), varint(1 << 40), b"\xff" * 10, b"\x80" * 10 + b"\x01"],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_longer_prefix_is_refused_before_anything_follows(prefix: bytes, size: int) -> None:
    assert whole_ones(CommandStream(split_prefixed, LIMIT), b"\x02ab\x00" + prefix, size) == b"\x02ab\x00"


def test_a_prefix_may_come_in_parts() -> None:
    commands = CommandStream(split_prefixed, LIMIT)
    prefix = varint(LIMIT)
    assert commands.feed(prefix[:1]) == b""
    assert commands.feed(prefix[1:]) == b""
    assert commands.feed(b"x" * LIMIT) == prefix + b"x" * LIMIT
