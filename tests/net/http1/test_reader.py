import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.net.http1.errors import BadRequest
from fanjet.net.http1.expect_continue import BodyTooLarge, ContinueRequired, UnreadableBody
from fanjet.net.http1.head_cache import HeadCache
from fanjet.net.http1.reader import MAX_HEAD_BYTES, RequestReader
from fanjet.net.router import Routes

HEAD = b"POST /x HTTP/1.1\r\nHost: h\r\n"


def with_length(body):
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(pieces, trailer=b""):
    chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"


def new_reader(limit=None):
    routes = Routes()
    routes.add("/", lambda exchange: None, max_body=limit)
    return RequestReader(HeadCache(routes))


def read_all(pieces, limit=None):
    reader = new_reader(limit)
    bodies = []
    for piece in pieces:
        reader.feed(piece)
        while (received := reader.next_request()) is not None:
            if not isinstance(received[1], bytes):
                raise received[1]
            bodies.append(received[1])
    return bodies, reader


def split(data, cuts):
    points = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(points)]


BODIES = st.lists(st.binary(max_size=60), min_size=1, max_size=5)


@given(BODIES, st.lists(st.integers(0, 1000)), st.booleans())
def test_requests_are_the_same_however_the_bytes_are_split(bodies, cuts, in_chunks):
    wire = b"".join(chunked([body[:7], body[7:]], b"T: x\r\n") if in_chunks else with_length(body) for body in bodies)
    received, reader = read_all(split(wire, cuts))
    assert received == bodies
    assert reader.is_idle


def test_byte_by_byte():
    wire = with_length(b"ab") + chunked([b"cd", b"e"]) + b"GET / HTTP/1.1\nHost: h\n\n"
    received, reader = read_all([bytes([byte]) for byte in wire])
    assert received == [b"ab", b"cde", b""]
    assert reader.is_idle


def test_a_large_body_in_many_pieces():
    body = b"x" * 3_000_000
    wire = with_length(body)
    received, _ = read_all([wire[start : start + 1000] for start in range(0, len(wire), 1000)])
    assert received == [body]


@pytest.mark.parametrize("build", [with_length, lambda body: chunked([body[:5], body[5:]])])
def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(build):
    assert read_all([build(b"x" * 10)], limit=10)[0] == [b"x" * 10]
    with pytest.raises(BodyTooLarge):
        read_all([build(b"x" * 11)], limit=10)


def test_a_declared_length_beyond_the_limit_is_refused_before_the_body_comes():
    with pytest.raises(BodyTooLarge):
        read_all([HEAD + b"Content-Length: 11\r\n\r\n"], limit=10)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: b"A: " + b"x" * MAX_HEAD_BYTES, id="unfinished"),
        pytest.param(lambda: b"A: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n", id="whole"),
    ],
)
def test_a_head_of_more_than_a_mebibyte_is_refused(build):
    with pytest.raises(BadRequest) as caught:
        read_all([HEAD, build()])
    assert caught.value.status == 431


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(b"zz\r\n", id="size-not-hexadecimal"),
        pytest.param(b"\r\n", id="size-empty"),
        pytest.param(b"-1\r\n", id="size-negative"),
        pytest.param(b"0x1\r\n", id="size-prefixed"),
        pytest.param(b"1\r\nabc\r\n", id="chunk-too-long"),
        pytest.param(b"f" * 16 + b"\r\n", id="size-huge"),
        pytest.param(b"1;" + b"x" * 5000, id="extension-endless"),
        pytest.param(b"0\r\n" + b"A: b\r\n" * 20000, id="trailers-endless"),
    ],
)
def test_malformed_chunks(chunks):
    with pytest.raises(UnreadableBody):
        read_all([HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks])


def test_a_first_line_that_is_no_request_is_refused_at_once():
    with pytest.raises(BadRequest):
        read_all([b"\x16\x03\x01 garbage\n"])


def test_line_ends_before_a_request_are_skipped_after_a_post_only():
    assert read_all([with_length(b"a") + b"\r\n" + with_length(b"b")])[0] == [b"a", b"b"]
    with pytest.raises(BadRequest):
        read_all([b"\r\n" + with_length(b"a")])


@pytest.mark.parametrize("sent", [b"", b"a", b"ab"])
def test_leave_to_send_a_body_is_asked_for_once_whatever_has_come_of_it(sent):
    reader = new_reader()
    reader.feed(HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n" + sent)
    known, body = reader.next_request()
    assert body is ContinueRequired
    assert not reader.is_idle
    reader.feed(b"ab"[len(sent) :])
    assert reader.next_request() == (known, b"ab")


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_give_requests_or_a_refusal(pieces):
    with contextlib.suppress(BadRequest, UnreadableBody):
        read_all(pieces, limit=100)
