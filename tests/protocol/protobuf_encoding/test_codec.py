"""The Protobuf codec against generated code and the letter of 01 §2.3, §2.4."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.codes import ERROR_INTERNAL, ERROR_PERMISSION_DENIED
from fanjet.protocol.fossil import apply_delta
from fanjet.protocol.messages import (
    Command,
    ConnectRequest,
    DisconnectPush,
    FilterNode,
    JoinPush,
    PingRequest,
    PublishRequest,
    PublishResult,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribeRequest,
    UnsubscribeResult,
)
from fanjet.protocol.protobuf_encoding.codec import PROTOBUF
from fanjet.protocol.publication import ClientInfo, Publication
from fanjet.protocol.schema import PUSH_FIELDS, RESULT_FIELDS, SCHEMA
from fanjet.protocol.tags_filter import InvalidFilter, TagsFilter
from tests.protocol.messages import PUBLICATIONS, PUSHES, RESULTS, any_message, fill


def varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def framed(message: bytes) -> bytes:
    return varint(len(message)) + message


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + framed(content)


def number(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def decode(message: bytes) -> Command:
    (command,) = PROTOBUF.decode(framed(message))
    return command


def message_of(pb: Any, frame: bytes) -> Any:
    """Parse the one reply of a frame with the oracle."""
    length = at = shift = 0
    while True:
        byte = frame[at]
        length |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            break
    assert len(frame) == at + length
    return pb.Reply.FromString(frame[at:])


def test_the_schema_has_the_contracts_numbers(pb: Any) -> None:
    names = {"JoinPush": "Join", "LeavePush": "Leave", "UnsubscribePush": "Unsubscribe", "SubscribePush": "Subscribe"}
    names |= {"MessagePush": "Message", "ConnectPush": "Connect", "DisconnectPush": "Disconnect"}
    names["RefreshPush"] = "Refresh"
    for message, fields in SCHEMA.items():
        descriptor = getattr(pb, names.get(message.__name__, message.__name__)).DESCRIPTOR
        assert {one.name: one.number for one in fields}.items() <= {
            one.name: one.number for one in descriptor.fields
        }.items()
    reply, push = pb.Reply.DESCRIPTOR.fields_by_name, pb.Push.DESCRIPTOR.fields_by_name
    assert all(reply[name].number == at for at, name in RESULT_FIELDS.values())
    assert all(push[name].number == at for at, name in PUSH_FIELDS.values())


@given(command=any_message(Command, incoming=True))
def test_decodes_what_the_oracle_encodes(pb: Any, command: Command) -> None:
    assert decode(fill(pb.Command(), command).SerializeToString()) == command


@given(command_id=st.integers(1, 2**32 - 1), result=RESULTS)
def test_the_oracle_reads_replies(pb: Any, command_id: int, result: Any) -> None:
    _, name = RESULT_FIELDS[type(result)]
    expected = pb.Reply(id=command_id)
    fill(getattr(expected, name), result)
    assert message_of(pb, PROTOBUF.reply(command_id, result)) == expected


@given(channel=st.text(st.characters(codec="utf-8")), body=PUSHES, channel_id=st.integers(0, 2**63 - 1))
def test_the_oracle_reads_pushes(pb: Any, channel: str, body: Any, channel_id: int) -> None:
    _, name = PUSH_FIELDS[type(body)]
    expected = pb.Reply()
    expected.push.SetInParent()
    if channel_id:
        expected.push.id = channel_id
    else:
        expected.push.channel = channel
    fill(getattr(expected.push, name), body)
    assert message_of(pb, PROTOBUF.push(channel, body, channel_id)) == expected


@given(publication=PUBLICATIONS)
def test_the_oracle_reads_publications(pb: Any, publication: Publication) -> None:
    expected = pb.Reply()
    expected.push.channel = "news"
    fill(expected.push.pub, publication)
    prefix = PROTOBUF.publication_prefix("news")
    assert message_of(pb, PROTOBUF.publication_push(prefix, publication)) == expected


def test_errors_are_replies(pb: Any) -> None:
    denied = message_of(pb, PROTOBUF.error(3, ERROR_PERMISSION_DENIED))
    assert (denied.id, denied.error.code, denied.error.message) == (3, 103, "permission denied")
    assert not denied.error.temporary
    assert message_of(pb, PROTOBUF.error(3, ERROR_INTERNAL)).error.temporary


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(PROTOBUF.ping, "00", id="ping"),
        pytest.param(PROTOBUF.reply(3, UnsubscribeResult()), "04 08 03 3a 00", id="empty-result-is-set"),
        pytest.param(PROTOBUF.reply(300, PublishResult()), "05 08 ac 02 42 00", id="publish-result"),
        pytest.param(PROTOBUF.push("", DisconnectPush(3000, "x")), "0a 22 08 5a 06 08 b8 17 12 01 78", id="disconnect"),
    ],
)
def test_bytes_on_the_wire(message: bytes, expected: str) -> None:
    assert message == bytes.fromhex(expected)


def test_binary_payloads_pass() -> None:
    push = PROTOBUF.publication_push(PROTOBUF.publication_prefix("a"), Publication(b"\xff\n\x00"))
    assert push.endswith(b"\xff\n\x00")


# ---------------------------------------------------------------------------------------------- decoding, §2.3


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(b"", Command(), id="pong"),
        pytest.param(field(6, b""), Command(unsubscribe=UnsubscribeRequest()), id="set-but-empty"),
        pytest.param(number(1, 2**32 + 7), Command(id=7), id="cut-to-32-bits"),
        pytest.param(number(1, 1) + number(1, 2), Command(id=2), id="last-scalar-wins"),
        pytest.param(b"\x08\x87\x80\x00", Command(id=7), id="long-spelling-of-a-number"),
        pytest.param(b"\x88\x00\x07", Command(id=7), id="long-spelling-of-a-tag"),
        pytest.param(b"\x88\x80\x80\x80\x80\x01\x07", Command(id=7), id="tag-cut-to-32-bits"),
        pytest.param(
            b"\x08" + b"\xff" * 9 + b"\x7f", Command(id=2**32 - 1), id="ten-bytes-with-more-than-64-bits-are-cut"
        ),
        pytest.param(
            field(5, number(14, 2**64 - 1) + number(15, 2**32 - 2)),
            Command(subscribe=SubscribeRequest(flag=-1, type=-2)),
            id="negative",
        ),
        pytest.param(field(5, number(3, 2**64 - 2)), Command(subscribe=SubscribeRequest(recover=True)), id="any-true"),
        pytest.param(
            field(7, field(2, b"1") + field(1, b"x")), Command(publish=PublishRequest("x", Raw(b"1"))), id="any-order"
        ),
        pytest.param(
            field(5, field(1, b"a") + number(7, 1)) + field(5, field(2, b"t") + number(7, 2)),
            Command(subscribe=SubscribeRequest("a", "t", offset=2)),
            id="sub-messages-merge",
        ),
        pytest.param(
            field(5, field(13, field(5, b"a") + field(6, b""))) + field(5, field(13, field(5, b"b") + field(1, b"or"))),
            Command(subscribe=SubscribeRequest(tf=FilterNode(op="or", vals=["a", "b"], nodes=[FilterNode()]))),
            id="lists-of-merged-messages-join",
        ),
        pytest.param(
            field(4, field(3, b"") + field(3, field(1, b"k") + field(2, number(3, 1)))),
            Command(connect=ConnectRequest(subs={"": SubscribeRequest(), "k": SubscribeRequest(recover=True)})),
            id="map-entry-without-key-and-value",
        ),
        pytest.param(
            field(4, field(6, field(1, b"k") + field(2, b"1")) + field(6, field(2, b"2") + field(1, b"k"))),
            Command(connect=ConnectRequest(headers={"k": "2"})),
            id="last-map-entry-wins",
        ),
        pytest.param(
            number(2, 5) + field(3, b"x") + varint(99 << 3 | 1) + b"8 bytes." + varint(98 << 3 | 5) + b"four"
            + number(1, 4),
            Command(id=4),
            id="unknown-fields-of-every-wire-type",
        ),
        pytest.param(
            varint(50 << 3 | 3) + number(1, 9) + varint(51 << 3 | 3) + field(4, b"\xff") + varint(51 << 3 | 4)
            + varint(50 << 3 | 4) + number(1, 4),
            Command(id=4),
            id="unknown-groups",
        ),
        pytest.param(field(11, b""), Command(ping=PingRequest()), id="ping-request"),
    ],
)  # fmt: skip
def test_accepts(message: bytes, expected: Command) -> None:
    assert decode(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(field(1, b"\x01"), id="bytes-for-a-number"),
        pytest.param(number(4, 1), id="number-for-a-message"),
        pytest.param(varint(1 << 3 | 5) + b"1234", id="fixed-32-for-a-number"),
        pytest.param(varint(5 << 3 | 3) + varint(5 << 3 | 4), id="group-for-a-message"),
        pytest.param(field(5, field(7, b"\x01")), id="bytes-for-a-nested-number"),
        pytest.param(field(4, field(6, number(1, 1))), id="number-for-a-map-key"),
        pytest.param(number(0, 1), id="field-number-0"),
        pytest.param(varint(2**31 << 3) + b"\x00", id="negative-field-number"),
        pytest.param(varint(50 << 3 | 6) + b"\x00", id="wire-type-6"),
        pytest.param(varint(50 << 3 | 7) + b"\x00", id="wire-type-7"),
        pytest.param(varint(50 << 3 | 3), id="group-without-end"),
        pytest.param(varint(50 << 3 | 3) + number(1, 1), id="group-without-end-but-content"),
        pytest.param(varint(50 << 3 | 4), id="group-without-start"),
        pytest.param(varint(50 << 3 | 2) + b"\x05abc", id="unknown-field-beyond-the-end"),
        pytest.param(varint(50 << 3 | 1) + b"1234567", id="fixed-64-beyond-the-end"),
        pytest.param(varint(50 << 3 | 5) + b"123", id="fixed-32-beyond-the-end"),
        pytest.param(b"\x2a\x05abc", id="message-beyond-the-end"),
        pytest.param(field(5, b"\x0a\x05abc"), id="string-beyond-its-message"),
        pytest.param(b"\x2a" + b"\xff" * 9 + b"\x01", id="length-of-64-bits"),
        pytest.param(b"\x2a" + b"\xff" * 10 + b"\x01", id="length-of-more-than-64-bits"),
        pytest.param(b"\x08\x80", id="number-truncated"),
        pytest.param(b"\x08" + b"\x80" * 10 + b"\x00", id="number-of-eleven-bytes"),
        pytest.param(b"\x88", id="tag-truncated"),
        pytest.param(field(5, field(1, b"\xff")), id="string-not-utf-8"),
    ],
)
def test_refuses(message: bytes) -> None:
    with pytest.raises(MalformedFrame):
        decode(message)


# ---------------------------------------------------------------------------------------------- frames, §2.4


@pytest.mark.parametrize(
    ("frame", "good"),
    [
        pytest.param(b"", 0, id="empty"),
        pytest.param(b"\x80", 0, id="length-truncated"),
        pytest.param(b"\x00\x80", 1, id="length-truncated-after-a-command"),
        pytest.param(b"\xff" * 10 + b"\x01", 0, id="length-of-more-than-64-bits"),
        pytest.param(b"\xff" * 8 + b"\x7f" + b"x", 0, id="length-that-is-huge"),
        pytest.param(b"\x05\x08", 0, id="body-truncated"),
        pytest.param(b"\x05", 0, id="length-alone"),
        pytest.param(b"\x02\x08\x01\x05\x08", 1, id="body-truncated-after-a-command"),
        pytest.param(b"\x02\x08\x01\x02\x09\x01\x00", 1, id="second-is-undecodable"),
    ],
)
def test_a_malformed_frame_yields_what_precedes(frame: bytes, good: int) -> None:
    commands = PROTOBUF.decode(frame)
    for _ in range(good):
        next(commands)
    with pytest.raises(MalformedFrame):
        next(commands)


def test_a_length_alone_behind_a_command_is_ignored() -> None:
    assert list(PROTOBUF.decode(b"\x02\x08\x01\x05")) == [Command(id=1)]
    assert list(PROTOBUF.decode(b"\x00\x80\x01")) == [Command()]


def test_pongs_are_zero_lengths() -> None:
    assert list(PROTOBUF.decode(b"\x00\x00")) == [Command(), Command()]


def test_a_filter_nested_too_deep_is_decoded_and_invalid() -> None:
    node = field(1, b"not")
    for _ in range(5000):
        node = field(6, node) + field(1, b"not")
    command = decode(field(5, field(13, node)))
    assert command.subscribe is not None
    assert command.subscribe.tf is not None
    with pytest.raises(InvalidFilter):
        TagsFilter(command.subscribe.tf)


@given(frame=st.binary())
def test_random_bytes_raise_nothing_else(frame: bytes) -> None:
    with suppress(MalformedFrame):
        list(PROTOBUF.decode(frame))


@given(command=any_message(Command, incoming=True), data=st.data())
def test_mutated_commands_raise_nothing_else(pb: Any, command: Command, data: st.DataObject) -> None:
    frame = bytearray(framed(fill(pb.Command(), command).SerializeToString()))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MalformedFrame):
        list(PROTOBUF.decode(bytes(frame)))


# ---------------------------------------------------------------------------------------------- delta, §10.2

INFO = ClientInfo("42", "c1", b"{}")
PUBLICATION = Publication(
    b"payload", 5, INFO, {"a": "b"}, time=9, key="k", removed=True, score=-3, epoch="e", version=7
)


@pytest.mark.parametrize(
    ("patch", "attempted", "kept"),
    [
        pytest.param(None, False, True, id="not-attempted-keeps-epoch-and-version"),
        pytest.param(None, True, False, id="attempted-drops-them"),
        pytest.param(b"\xffpatch", True, False, id="patch-drops-them"),
    ],
)
def test_delta_push(pb: Any, patch: bytes | None, attempted: bool, kept: bool) -> None:
    frame = PROTOBUF.delta_push(PROTOBUF.publication_prefix("", 9), PUBLICATION, patch, attempted=attempted)
    push = message_of(pb, frame).push
    assert (push.id, push.channel) == (9, "")
    assert (push.pub.data, push.pub.delta) == ((b"payload", False) if patch is None else (patch, True))
    assert (push.pub.epoch, push.pub.version) == (("e", 7) if kept else ("", 0))
    assert (push.pub.offset, push.pub.info.user, dict(push.pub.tags), push.pub.time) == (5, "42", {"a": "b"}, 0)
    assert (push.pub.key, push.pub.removed, push.pub.score) == ("k", True, -3)


def test_recovered_deltas(pb: Any) -> None:
    first, second = b"x" * 50 + "\u00e0".encode(), b"x" * 50 + "\u00e8".encode()
    publications = [
        Publication(first, 1, epoch="e", version=1, key="k"),
        Publication(second, 2, INFO, {"a": "b"}, key="k", score=1, version=2),
        Publication(b"short", 3),
    ]
    result = SubscribeResult(publications=PROTOBUF.recovered_deltas(publications), recovered=True)
    one, two, three = message_of(pb, PROTOBUF.reply(1, result)).subscribe.publications
    assert (one.data, one.delta, one.epoch, one.version, one.key) == (first, False, "e", 1, "k")
    assert two.delta
    assert apply_delta(first, two.data) == second
    assert (two.offset, two.info.user, dict(two.tags), two.key, two.score, two.version) == (
        2,
        "42",
        {"a": "b"},
        "",
        0,
        0,
    )
    assert (three.data, three.delta) == (b"short", False)
    assert PROTOBUF.recovered_deltas([]) == []


def test_join_push_is_read_by_the_oracle(pb: Any) -> None:
    push = message_of(pb, PROTOBUF.push("news", JoinPush(INFO))).push
    assert (push.channel, push.join.info.user, push.join.info.conn_info) == ("news", "42", b"{}")
