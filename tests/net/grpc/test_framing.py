"""Framing of gRPC messages: any split of the bytes, within limits."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.net.grpc.framing import MessageReader, frame, gzip_frame
from fanjet.net.grpc.status import GrpcError, StatusCode


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(min_value=1, max_value=50), st.booleans())
def test_messages_come_out_as_they_went_in(messages: list[bytes], size: int, compressed: bool) -> None:
    stream = b"".join(map(gzip_frame if compressed else frame, messages))
    reader = MessageReader(1000, gzip=compressed)
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [message for piece in pieces for message in reader.feed(piece)] == messages
    assert not reader.inside_message


def refusal(reader: MessageReader, data: bytes) -> tuple[StatusCode, str]:
    with pytest.raises(GrpcError) as error:
        list(reader.feed(data))
    return error.value.code, error.value.message


def test_a_message_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert list(MessageReader(10, gzip=False).feed(frame(b"x" * 10))) == [b"x" * 10]
    # Refused by what it announces: nobody waits for it.
    assert refusal(MessageReader(10, gzip=False), frame(b"x" * 11)[:5]) == (
        StatusCode.RESOURCE_EXHAUSTED,
        "grpc: received message larger than max (11 vs. 10)",
    )


def test_what_inflates_beyond_the_limit_is_refused() -> None:
    code, reason = refusal(MessageReader(100_000, gzip=True), gzip_frame(b"\0" * 10_000_000))
    assert (code, reason) == (
        StatusCode.RESOURCE_EXHAUSTED,
        "grpc: received message after decompression larger than max 100000",
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\2\0\0\0\0", "grpc: received unexpected payload format 2", id="flag"),
        pytest.param(b"\1\0\0\0\0", "grpc: failed to decompress the message: EOF", id="empty"),
        pytest.param(b"\1\0\0\0\1x", "grpc: failed to decompress the message: unexpected EOF", id="short"),
        pytest.param(
            b"\1\0\0\0\x0c" + b"x" * 12, "grpc: failed to decompress the message: gzip: invalid header", id="no"
        ),
        pytest.param(
            b"\1\0\0\0\x14" + gzip.compress(b"abc")[:20],
            "grpc: failed to read decompressed data: unexpected EOF",
            id="cut",
        ),
        pytest.param(
            b"\1\0\0\0\x2e" + gzip.compress(b"abc") * 2,
            "grpc: failed to read decompressed data: more than one gzip stream",
            id="two",
        ),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    assert refusal(MessageReader(1000, gzip=True), data) == (StatusCode.INTERNAL, reason)


def test_a_compressed_message_needs_an_encoding() -> None:
    expected = "grpc: compressed flag set with identity or empty encoding"
    assert refusal(MessageReader(1000, gzip=False), gzip_frame(b"abc")) == (StatusCode.INTERNAL, expected)


def test_inside_a_message_is_behind_its_prefix() -> None:
    reader = MessageReader(1000, gzip=False)
    assert list(reader.feed(frame(b"abc")[:4])) == []
    assert not reader.inside_message
    assert list(reader.feed(frame(b"abc")[4:6])) == []
    assert reader.inside_message
