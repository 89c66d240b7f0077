import contextlib
import itertools
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from fanjet.net.websocket.reader import FRAMES_PER_TURN, CorruptMessage, FrameReader, ProtocolFailure, ReadLimits

MASK = b"\x01\x02\x03\x04"
UNLIMITED = ReadLimits(None, None)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def masked(payload):
    return bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


def frame(payload, opcode=TEXT, *, fin=True, rsv=0, mask=True):
    """One frame as a client sends it, right or wrong."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    length = len(payload)
    bit = 0x80 if mask else 0
    if length < 126:
        head = bytes((first, bit | length))
    elif length < 0x10000:
        head = bytes((first, bit | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + length.to_bytes(8, "big")
    return head + (MASK + masked(payload) if mask else payload)


def deflated(payload):
    deflate = zlib.compressobj(wbits=-15)
    return (deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def read_all(pieces, limits=UNLIMITED, *, inflate=False):
    reader = FrameReader(limits, inflate=inflate)
    frames = []
    for piece in pieces:
        reader.feed(piece)
        while (got := reader.next_frame()) is not None:
            frames.append(got)
    return frames, reader


def failure(data, limits=UNLIMITED, *, inflate=False):
    with pytest.raises(ProtocolFailure) as caught:
        read_all([data], limits, inflate=inflate)
    return caught.value.code, caught.value.reason


def split(data, cuts):
    points = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(points)]


def test_whole_frames_one_by_one():
    frames, reader = read_all([frame(b"a") + frame(b"", PING) + frame(b"b" * 300, BINARY)])
    assert frames == [(TEXT, b"a"), (PING, b""), (BINARY, b"b" * 300)]
    assert reader.is_idle


def test_fragments_are_joined_and_control_frames_pass_between():
    wire = frame(b"a", fin=False) + frame(b"p", PING) + frame(b"b", 0, fin=False) + frame(b"c", 0)
    frames, reader = read_all([wire])
    assert frames == [(PING, b"p"), (TEXT, b"abc")]
    assert reader.is_idle


def test_a_reader_in_the_middle_of_a_message_is_not_idle():
    _, reader = read_all([frame(b"a", fin=False)])
    assert not reader.is_idle
    assert not reader.has_bytes
    _, reader = read_all([frame(b"a")[:3]])
    assert not reader.is_idle
    assert reader.has_bytes


MESSAGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([TEXT, BINARY]), st.lists(st.binary(max_size=200), min_size=1, max_size=4)),
        st.tuples(st.sampled_from([PING, PONG]), st.lists(st.binary(max_size=125), min_size=1, max_size=1)),
    ),
    max_size=6,
)


def sent(messages, *, compress=False):
    wire = b""
    for opcode, fragments in messages:
        deflating = compress and opcode in (TEXT, BINARY)
        parts = fragments
        if deflating:
            whole = deflated(b"".join(fragments))
            parts = [whole[:3], whole[3:]]
        for index, payload in enumerate(parts):
            wire += frame(
                payload,
                opcode if index == 0 else 0,
                fin=index == len(parts) - 1,
                rsv=4 if deflating and index == 0 else 0,
            )
    return wire


class Oracle:
    """The Sans-I/O implementation of `websockets`, its fragments put together."""

    def __init__(self, *, inflate):
        self.protocol = Protocol(SERVER, state=OPEN, max_size=None)
        if inflate:
            self.protocol.extensions = [PerMessageDeflate(True, True, 15, 15)]

    def read(self, pieces):
        for piece in pieces:
            self.protocol.receive_data(piece)
        frames, parts, opcode = [], [], None
        for event in self.protocol.events_received():
            assert isinstance(event, Frame)
            if event.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
                frames.append((int(event.opcode), bytes(event.data)))
                continue
            opcode = opcode if event.opcode is Opcode.CONT else int(event.opcode)
            parts.append(bytes(event.data))
            if event.fin:
                frames.append((opcode, b"".join(parts)))
                parts = []
        return frames


@given(MESSAGES, st.lists(st.integers(0, 2000)), st.booleans())
def test_agrees_with_another_implementation_however_the_bytes_are_split(messages, cuts, inflate):
    pieces = split(sent(messages, compress=inflate), cuts)
    frames, reader = read_all(pieces, inflate=inflate)
    assert frames == Oracle(inflate=inflate).read(pieces)
    assert frames == [(opcode, b"".join(fragments)) for opcode, fragments in messages]
    assert reader.is_idle


@settings(max_examples=300)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200)), st.booleans())
def test_any_bytes_give_frames_or_a_failure_the_same_however_they_are_split(data, cuts, inflate):
    def outcome(pieces):
        reader = FrameReader(ReadLimits(50, 60), inflate=inflate)
        frames = []
        try:
            for piece in pieces:
                reader.feed(piece)
                while True:
                    try:
                        got = reader.next_frame()
                    except CorruptMessage:
                        frames.append("corrupt")
                        continue
                    if got is None:
                        break
                    frames.append(got)
        except ProtocolFailure as caught:
            frames.append((caught.code, caught.reason))
        return frames

    assert outcome(split(data, cuts)) == outcome([data])


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        pytest.param(frame(b"", rsv=4), "RSV1 set", id="rsv1-without-compression"),
        pytest.param(frame(b"", rsv=2), "RSV2 set", id="rsv2"),
        pytest.param(frame(b"", rsv=1), "RSV3 set", id="rsv3"),
        pytest.param(frame(b"", 3), "bad opcode 3", id="reserved-data-opcode"),
        pytest.param(frame(b"", 11), "bad opcode 11", id="reserved-control-opcode"),
        pytest.param(frame(b"x", mask=False), "bad MASK", id="unmasked"),
        pytest.param(frame(b"", PING, fin=False), "FIN not set on control", id="fragmented-control"),
        pytest.param(frame(b"x" * 126, PING), "len > 125 for control", id="large-control"),
        pytest.param(frame(b"x", 0), "continuation after FIN", id="continuation-without-start"),
        pytest.param(frame(b"x", fin=False) + frame(b"y"), "data before FIN", id="data-inside-a-message"),
        pytest.param(
            frame(b"x", 3, rsv=7, mask=False), "RSV1 set, RSV2 set, RSV3 set, bad opcode 3, bad MASK", id="all"
        ),
        pytest.param(frame(b"\x03\xe7", CLOSE), "bad close code 999", id="close-code-low"),
        pytest.param(frame(b"\x03\xec", CLOSE), "bad close code 1004", id="close-code-reserved"),
        pytest.param(frame(b"\x03\xed", CLOSE), "bad close code 1005", id="close-code-no-status"),
        pytest.param(frame(b"\x03\xf6", CLOSE), "bad close code 1014", id="close-code-1014"),
        pytest.param(frame(b"\x0b\xb7", CLOSE), "bad close code 2999", id="close-code-2999"),
        pytest.param(frame(b"\x13\x88", CLOSE), "bad close code 5000", id="close-code-5000"),
        pytest.param(frame(b"\x03\xe8\xff", CLOSE), "invalid utf8 payload in close frame", id="close-reason"),
    ],
)
def test_protocol_errors(wire, reason):
    assert failure(wire) == (1002, reason)


@pytest.mark.parametrize("payload", [b"", b"\x03", b"\x03\xe8", b"\x03\xf5bye", b"\x0b\xb8" + b"x" * 123, b"\x13\x87"])
def test_valid_close_frames(payload):
    assert read_all([frame(payload, CLOSE)])[0] == [(CLOSE, payload)]


def test_errors_show_in_the_first_two_bytes():
    assert failure(b"\x83\x00") == (1002, "bad opcode 3, bad MASK")


def test_a_frame_before_the_broken_one_is_delivered():
    reader = FrameReader(UNLIMITED)
    reader.feed(frame(b"good") + b"\xff\xff")
    assert reader.next_frame() == (TEXT, b"good")
    with pytest.raises(ProtocolFailure):
        reader.next_frame()


LIMITED = ReadLimits(300, 1000)


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(frame(b"x" * 300), id="one-frame"),
        pytest.param(frame(b"x" * 200, fin=False) + frame(b"x" * 100, PING) + frame(b"x" * 100, 0), id="fragments"),
        pytest.param(frame(b"x" * 300) + frame(b"y" * 300), id="two-messages"),
    ],
)
def test_exactly_the_limit_is_accepted(wire):
    assert all(len(payload) in (100, 300) for _, payload in read_all([wire], LIMITED)[0])


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(frame(b"x" * 301), id="one-frame"),
        pytest.param(frame(b"x" * 301)[:4], id="seen-in-the-header"),
        pytest.param(frame(b"x" * 200, fin=False) + frame(b"x" * 101, 0)[:2], id="fragments-seen-in-the-header"),
        pytest.param(b"\x81\xff" + b"\x7f" + b"\xff" * 7, id="enormous"),
        pytest.param(b"\x81\xff" + b"\xff" * 8, id="more-than-63-bits"),
    ],
)
def test_one_byte_more_is_too_big(wire):
    assert failure(wire, LIMITED) == (1009, "")


def test_a_length_of_more_than_63_bits_is_too_big_even_without_a_limit():
    assert failure(b"\x81\xff" + b"\xff" * 8) == (1009, "")


def test_lengths_need_not_be_minimal():
    assert read_all([b"\x81\xfe\x00\x01" + MASK + masked(b"x")])[0] == [(TEXT, b"x")]
    assert read_all([b"\x81\xff" + bytes(7) + b"\x01" + MASK + masked(b"x")])[0] == [(TEXT, b"x")]


def test_the_limit_after_inflating():
    assert read_all([frame(deflated(b"x" * 1000), rsv=4)], LIMITED, inflate=True)[0] == [(TEXT, b"x" * 1000)]
    wire = frame(deflated(b"x" * 1001), rsv=4)
    assert failure(wire, LIMITED, inflate=True) == (1009, "message too big after decompression")


def test_the_limit_on_the_wire_counts_compressed_bytes():
    wire = frame(deflated(bytes(range(256)) * 2), rsv=4)
    assert len(wire) < 300
    assert len(read_all([wire], LIMITED, inflate=True)[0]) == 1


def test_a_bomb_is_not_inflated_beyond_the_limit():
    bomb = frame(deflated(bytes(200_000_000)), rsv=4)
    assert failure(bomb, ReadLimits(None, 1000), inflate=True)[0] == 1009


def test_uncompressed_messages_stay_acceptable():
    assert read_all([frame(b"plain")], inflate=True)[0] == [(TEXT, b"plain")]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"\xff\xff\xff", id="no-deflate-data"),
        pytest.param(deflated(b"some text that is long enough")[:-4], id="cut-off"),
        pytest.param(b"", id="nothing-at-all"),
    ],
)
def test_what_does_not_inflate_is_reported_and_the_reader_goes_on(payload):
    reader = FrameReader(UNLIMITED, inflate=True)
    reader.feed(frame(payload, rsv=4) + frame(b"next"))
    with contextlib.suppress(CorruptMessage):
        assert reader.next_frame() == (TEXT, b"")  # only an empty stream may pass for an empty message
        assert payload == b""
    assert reader.next_frame() == (TEXT, b"next")


def test_a_large_message_in_small_pieces_takes_linear_time():
    wire = frame(b"x" * 4_000_000)
    frames, _ = read_all([wire[start : start + 1000] for start in range(0, len(wire), 1000)])
    assert len(frames[0][1]) == 4_000_000


@pytest.mark.parametrize("opcode", [0x0, 0x9], ids=["fragments", "pings"])
def test_a_turn_ends_after_so_many_frames_and_the_next_goes_on(opcode: int) -> None:
    reader = FrameReader(ReadLimits())
    start = b"\x01\x80\0\0\0\0" if opcode == 0 else b""
    reader.feed(start + bytes([0x80 * (opcode == 9) | opcode, 0x80, 0, 0, 0, 0]) * (FRAMES_PER_TURN + 10))
    while reader.next_frame() is not None:
        pass
    assert reader.frames_left == 0
    assert reader.has_bytes
    reader.frames_left = FRAMES_PER_TURN
    while reader.next_frame() is not None:
        pass
    assert not reader.has_bytes
