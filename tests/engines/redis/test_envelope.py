"""Encoding of PUB/SUB messages, byte for byte (07 §7)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.engines.interfaces import PublishOptions
from fanjet.engines.records import MalformedRecord, encode_publication, publication_record
from fanjet.engines.redis.envelope import deliver, encode_join, encode_leave
from fanjet.protocol.publication import ClientInfo, Publication
from tests.engines.conftest import Delivered, Recorder

TIME = 1_700_000_000_000
BARE = bytes.fromhex("22077b2261223a317d4880d095ffbc31")
BEFORE = bytes.fromhex("22077b2261223a307d4880d095ffbc31")
INFO = ClientInfo("42", "c1")
PUBLICATION = Publication(b'{"a":1}', 7, time=TIME)
PREVIOUS = Publication(b'{"a":0}', time=TIME)


def received(payload: bytes) -> Recorder:
    events = Recorder()
    deliver(payload, "news", events)
    return events


def test_publication_encoding():
    assert encode_publication(b'{"a":1}', PublishOptions(), TIME) == BARE
    assert encode_publication(b'{"a":1}', PublishOptions(), TIME, delta=True) == BARE[:9] + b"\x40\x01" + BARE[9:]


def test_join_and_leave_encoding():
    assert encode_join(INFO) == b"__j__" + bytes.fromhex("0a02343212026331")
    assert encode_leave(INFO) == b"__l__" + bytes.fromhex("0a02343212026331")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(BARE, Delivered("news", Publication(b'{"a":1}', time=TIME), "", False, None), id="bare"),
        pytest.param(
            b"__p1:7:abcdEFGH__" + BARE, Delivered("news", PUBLICATION, "abcdEFGH", False, None), id="in-a-stream"
        ),
        pytest.param(
            b"__d1:7:abcdEFGH:16:" + BEFORE + b":16:" + BARE,
            Delivered("news", PUBLICATION, "abcdEFGH", True, PREVIOUS),
            id="delta",
        ),
        pytest.param(
            b"__d1:7:abcdEFGH:0::16:" + BARE, Delivered("news", PUBLICATION, "abcdEFGH", True, None), id="first-delta"
        ),
        pytest.param(
            b"__d1:7:abcdEFGH:33:__p1:6:abcdEFGH__" + BEFORE + b":16:" + BARE,
            Delivered("news", PUBLICATION, "abcdEFGH", True, PREVIOUS),
            id="delta-from-a-list-of-the-reference",
        ),
        pytest.param(
            BARE + bytes.fromhex("4001"),
            Delivered("news", Publication(b'{"a":1}', time=TIME), "", True, None),
            id="delta-without-stream",
        ),
        pytest.param(
            b"__p1:7:abcdEFGH__" + BARE + b"\x30\x09\x72\x02zz",
            Delivered("news", Publication(b'{"a":1}', 9, time=TIME), "zz", False, None),
            id="position-of-its-own",
        ),
        pytest.param(
            BARE + b"\x7a\x01p",
            Delivered("news", Publication(b'{"a":1}', time=TIME), "", True, Publication(b"p")),
            id="previous-data-of-its-own",
        ),
        pytest.param(
            b"__p1:7:abcdEFGH__" + BARE + b"\x52\x06news.a",
            Delivered("news", Publication(b'{"a":1}', 7, time=TIME, channel="news.a"), "abcdEFGH", False, None),
            id="channel-of-its-own",
        ),
        pytest.param(b"", Delivered("news", Publication(b""), "", False, None), id="empty"),
    ],
)
def test_publications_are_decoded(payload, expected):
    assert received(payload).delivered == [expected]


def test_joins_and_leaves_are_decoded():
    assert received(encode_join(INFO)).members == [("join", "news", INFO)]
    assert received(encode_leave(INFO)).members == [("leave", "news", INFO)]


@pytest.mark.parametrize(
    "payload",
    [
        b"__",
        b"__x__abc",
        b"__p1:7",
        b"__p1:7__" + BARE,
        b"__p1:seven:abcdEFGH__" + BARE,
        b"__p1:-7:abcdEFGH__" + BARE,
        b"__p1:7:\xff__" + BARE,
        b"__p1:7:abcdEFGH__\xff",
        b"__d1:7:abcdEFGH",
        b"__d1:7:abcdEFGH:9999:" + BARE,
        b"__d1:7:abcdEFGH:0::9999:" + BARE,
        b"__d1:7:abcdEFGH:x::16:" + BARE,
        b"__j__\xff",
        b"\xff\xff",
        b"\x22\x05abc",
    ],
)
def test_malformed_payloads_are_rejected(payload):
    with pytest.raises(MalformedRecord):
        received(payload)


@given(st.binary())
def test_any_payload_is_delivered_or_rejected(data):
    for payload in (data, b"__" + data, b"__p1:" + data, b"__d1:" + data, BARE + data):
        with suppress(MalformedRecord):
            received(payload)


INFOS = st.builds(ClientInfo, st.text(), st.text(), st.binary(max_size=2000), st.binary(max_size=20000))


@given(
    st.binary(max_size=40000),
    st.integers(1, 2**62),
    st.dictionaries(st.text(), st.text(), max_size=2),
    st.none() | INFOS,
    st.booleans(),
)
def test_encoding_round_trips_and_equals_protobuf(data, time, tags, info, delta):
    options = PublishOptions(tags=tags or None, info=info)
    encoded = encode_publication(data, options, time, delta=delta)
    if len(tags) < 2:  # the order of several tags is undefined
        record = publication_record(data, options, time)
        record.delta = delta
        assert encoded == record.SerializeToString()
    [delivered] = received(encoded).delivered
    assert delivered.publication == Publication(data, 0, info, tags or None, time)
    assert delivered.use_delta == delta
