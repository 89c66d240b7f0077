"""The JSON codec by the letter of 01 §2.2, §2.4, §10.2."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from fanjet.protocol.codec import MalformedFrame, PayloadNotJSON
from fanjet.protocol.codes import ERROR_INTERNAL, ERROR_PERMISSION_DENIED
from fanjet.protocol.fossil import apply_delta, create_delta
from fanjet.protocol.json_encoding.codec import JSON
from fanjet.protocol.json_encoding.encode import json_payload_ok
from fanjet.protocol.messages import (
    Command,
    ConnectRequest,
    ConnectResult,
    DisconnectPush,
    FilterNode,
    HistoryRequest,
    HistoryResult,
    JoinPush,
    KeyedItem,
    LeavePush,
    MessagePush,
    PresenceResult,
    PresenceStatsResult,
    PublishRequest,
    PublishResult,
    RefreshPush,
    RefreshResult,
    RPCRequest,
    RPCResult,
    SubRefreshRequest,
    SubRefreshResult,
    SubscribePush,
    SubscribeRequest,
    SubscribeResult,
    TrackBatch,
    UnsubscribePush,
    UnsubscribeRequest,
    UnsubscribeResult,
)
from fanjet.protocol.publication import ClientInfo, EncodedPublication, Publication, StreamPosition
from fanjet.protocol.schema import PUSH_FIELDS, RESULT_FIELDS
from fanjet.protocol.tags_filter import InvalidFilter, TagsFilter
from tests.protocol.messages import PUBLICATIONS, PUSHES, RESULTS, any_message, as_json, without_zeros

INFO = ClientInfo("42", "c1", b'{"name":"ann"}')


def decode(line: bytes) -> Command:
    (command,) = JSON.decode(line)
    return command


# ---------------------------------------------------------------------------------------------- decoding


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b"{}", Command(), id="pong"),
        pytest.param(b"null", Command(), id="null-is-a-pong"),
        pytest.param(b' {"id" : 4} \r', Command(id=4), id="space-around"),
        pytest.param(b'{"id":4294967295}', Command(id=2**32 - 1), id="largest-id"),
        pytest.param(b'{"id":1,"id":2}', Command(id=2), id="last-key-counts"),
        pytest.param(b'{"\\u0069d":1}', Command(id=1), id="escaped-key"),
        pytest.param(b'{"id":1,"foo":{"bar":[1.5,null]},"baz":"\\ud800"}', Command(id=1), id="unknown-keys"),
        pytest.param(b'{"id":null,"connect":null,"rpc":null}', Command(), id="nulls"),
        pytest.param(
            b'{"connect":{"token":null,"data":null,"subs":null,"headers":null,"flag":null}}',
            Command(connect=ConnectRequest(data=Raw(b"null"))),
            id="null-payload-is-one",
        ),
        pytest.param(
            b'{"connect":{"subs":{"a":null},"headers":{"b":null}}}',
            Command(connect=ConnectRequest(subs={"a": SubscribeRequest()}, headers={"b": ""})),
            id="null-in-maps",
        ),
        pytest.param(
            b'{"sub_refresh":{"untrack":[null,"a"],"track":[null,{"items":[null]}]}}',
            Command(
                sub_refresh=SubRefreshRequest(untrack=["", "a"], track=[TrackBatch(), TrackBatch(items=[KeyedItem()])])
            ),
            id="null-in-lists",
        ),
        pytest.param(
            b'{"subscribe":{"tf":{"op":"and","vals":[null],"nodes":[null]}}}',
            Command(subscribe=SubscribeRequest(tf=FilterNode("and", vals=[""], nodes=[None]))),
            id="null-in-filters",
        ),
        pytest.param(
            b'{"publish":{"channel":"a\\ud83d","data":"\\ud83d"}}',
            Command(publish=PublishRequest("a\ufffd", Raw(b'"\\ud83d"'))),
            id="half-of-a-surrogate-pair",
        ),
        pytest.param(
            b'{"publish":{"data": {"b" : 1.50, "a":1,"a":1e2}  ,"channel":"x"}}',
            Command(publish=PublishRequest("x", Raw(b'{"b" : 1.50, "a":1,"a":1e2}'))),
            id="payload-verbatim",
        ),
        pytest.param(
            '{"rpc":{"method":"é","data":"ü"}}'.encode(),
            Command(rpc=RPCRequest(Raw('"ü"'.encode()), "é")),
            id="utf-8",
        ),
        pytest.param(
            b'{"subscribe":{"offset":18446744073709551615,"flag":-9223372036854775808,"type":-2147483648}}',
            Command(subscribe=SubscribeRequest(offset=2**64 - 1, flag=-(2**63), type=-(2**31))),
            id="limits-of-integers",
        ),
        pytest.param(
            b'{"history":{"since":{"offset":18446744073709551615}}}',
            Command(history=HistoryRequest(since=StreamPosition(2**64 - 1))),
            id="largest-position",
        ),
        pytest.param(b'{"unsubscribe":{}}', Command(unsubscribe=UnsubscribeRequest()), id="empty-sub-message"),
    ],
)
def test_accepts(line: bytes, expected: Command) -> None:
    assert decode(line) == expected


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"", id="empty-frame"),
        pytest.param(b"\n", id="only-a-newline"),
        pytest.param(b"\n{}", id="blank-line-first"),
        pytest.param(b" ", id="only-space"),
        pytest.param(b"{bad", id="not-json"),
        pytest.param(b'{"id":1', id="truncated"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"1", id="number"),
        pytest.param(b'"a"', id="string"),
        pytest.param(b"true", id="boolean"),
        pytest.param(b"{}{}", id="text-behind"),
        pytest.param(b"{} x", id="word-behind"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param(b'{"id":"1","connect":{}}', id="string-for-number"),
        pytest.param(b'{"subscribe":{"channel":1}}', id="number-for-string"),
        pytest.param(b'{"id":true}', id="boolean-for-number"),
        pytest.param(b'{"subscribe":{"recover":1}}', id="number-for-boolean"),
        pytest.param(b'{"id":7.0}', id="fraction"),
        pytest.param(b'{"id":1e2}', id="exponent"),
        pytest.param(b'{"subscribe":{"offset":5.0}}', id="fraction-of-64-bits"),
        pytest.param(b'{"id":-1}', id="negative-for-unsigned"),
        pytest.param(b'{"history":{"since":{"offset":-1}}}', id="negative-position"),
        pytest.param(b'{"id":4294967296}', id="id-over-32-bits"),
        pytest.param(b'{"subscribe":{"type":2147483648}}', id="over-int32"),
        pytest.param(b'{"subscribe":{"flag":9223372036854775808}}', id="over-int64"),
        pytest.param(b'{"subscribe":{"offset":18446744073709551616}}', id="over-uint64"),
        pytest.param(b'{"history":{"since":{"offset":18446744073709551616}}}', id="position-over-uint64"),
        pytest.param(b'{"sub_refresh":{"track":[{"items":[{"version":18446744073709551616}]}]}}', id="version-over"),
        pytest.param(b'{"id":' + b"1" * 5000 + b"}", id="thousands-of-digits"),
        pytest.param(b'{"publish":[]}', id="array-for-object"),
        pytest.param(b'{"publish":"x"}', id="string-for-object"),
        pytest.param(b'{"sub_refresh":{"untrack":{}}}', id="object-for-list"),
        pytest.param(b'{"connect":{"headers":[]}}', id="list-for-map"),
        pytest.param(b'{"connect":{"headers":{"a":1}}}', id="number-in-map-of-strings"),
        pytest.param(b'{"subscribe":{"tf":[]}}', id="list-for-filter"),
        pytest.param(b'{"publish":{"data":01}}', id="payload-with-leading-zero"),
        pytest.param(b'{"publish":{"data":NaN}}', id="payload-nan"),
        pytest.param(b'{"publish":{"data":[1,]}}', id="payload-with-trailing-comma"),
        pytest.param(b'{"publish":{"data":"\t"}}', id="payload-with-raw-tab-in-string"),
        pytest.param(b'{"publish":{"data":"\xff"}}', id="payload-not-utf-8"),
        pytest.param(b'{"publish":{"data":"\xed\xa0\x80"}}', id="payload-with-encoded-surrogate"),
        pytest.param(b'{"publish":{"channel":"\xff"}}', id="string-not-utf-8"),
        pytest.param(b'{"foo":"\xff"}', id="ignored-value-not-utf-8"),
        pytest.param(b'{"\xff":1}', id="ignored-key-not-utf-8"),
        pytest.param(b'{"foo":[1,}', id="ignored-value-not-json"),
        pytest.param(b'{"id":null,"foo":[1,}', id="null-and-then-not-json"),
        pytest.param(b'{"id":null,"foo":"\xff"}', id="null-and-then-not-utf-8"),
        pytest.param(b'{"id":null} x', id="null-and-text-behind"),
        pytest.param(b"[" * 100_000, id="deep-and-truncated"),
        pytest.param(b'{"publish":{"data":' + b"[" * 30_000, id="deep-payload-truncated"),
    ],
)
def test_refuses(frame: bytes) -> None:
    with pytest.raises(MalformedFrame):
        list(JSON.decode(frame))


@pytest.mark.parametrize(
    ("frame", "good"),
    [
        pytest.param(b'{"id":1}\n{bad', 1, id="second-malformed"),
        pytest.param(b'{"id":1}\n\n{"id":2}', 1, id="blank-line-between"),
        pytest.param(b'{"id":1}\n\n', 1, id="two-newlines-at-the-end"),
        pytest.param(b'{"id":1}\n{"id":2}\n{"x":"\xff"}', 2, id="third-not-utf-8"),
    ],
)
def test_a_malformed_frame_yields_what_precedes(frame: bytes, good: int) -> None:
    commands = JSON.decode(frame)
    assert [next(commands).id for _ in range(good)] == list(range(1, good + 1))
    with pytest.raises(MalformedFrame):
        next(commands)


def test_one_newline_may_end_a_frame() -> None:
    assert list(JSON.decode(b'{"id":1}\n{}\n')) == [Command(id=1), Command()]


@pytest.mark.parametrize("depth", [64, 500, 5000])
def test_payloads_and_ignored_keys_nest_as_deep_as_they_like(depth: int) -> None:
    payload = b"[" * depth + b"]" * depth
    command = decode(b'{"foo":' + payload + b',"publish":{"channel":"x","data":' + payload + b"}}")
    assert command.publish == PublishRequest("x", Raw(payload))


@pytest.mark.parametrize("depth", [65, 100, 150, 900, 3000])
def test_a_filter_nested_too_deep_is_decoded_and_invalid(depth: int) -> None:
    node = b'{"op":"not","nodes":[' * (depth - 1) + b'{"cmp":"ex","key":"a"}' + b"]}" * (depth - 1)
    command = decode(b'{"subscribe":{"tf":' + node + b"}}")
    assert command.subscribe is not None
    assert command.subscribe.tf is not None
    with pytest.raises(InvalidFilter):
        TagsFilter(command.subscribe.tf)


@given(command=any_message(Command, incoming=True))
def test_decodes_every_command(command: Command) -> None:
    assert decode(as_json(command).encode()) == command


@given(frame=st.binary() | st.text(alphabet='{}[]":,\\nul1e.-iptcas ').map(str.encode))
def test_random_bytes_raise_nothing_else(frame: bytes) -> None:
    with suppress(MalformedFrame):
        list(JSON.decode(frame))


@given(command=any_message(Command, incoming=True), data=st.data())
def test_mutated_commands_raise_nothing_else(command: Command, data: st.DataObject) -> None:
    frame = bytearray(as_json(command).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MalformedFrame):
        list(JSON.decode(bytes(frame)))


# ---------------------------------------------------------------------------------------------- replies and pushes


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(JSON.ping, "{}", id="ping"),
        pytest.param(JSON.reply(5, PublishResult()), '{"id":5,"publish":{}}', id="publish"),
        pytest.param(JSON.reply(4, UnsubscribeResult()), '{"id":4,"unsubscribe":{}}', id="unsubscribe"),
        pytest.param(JSON.reply(2, SubscribeResult()), '{"id":2,"subscribe":{}}', id="subscribe"),
        pytest.param(JSON.reply(6, RPCResult()), '{"id":6,"rpc":{}}', id="rpc"),
        pytest.param(JSON.reply(6, RPCResult(b"null")), '{"id":6,"rpc":{"data":null}}', id="rpc-null"),
        pytest.param(JSON.reply(7, RefreshResult()), '{"id":7,"refresh":{}}', id="refresh-for-ever"),
        pytest.param(
            JSON.reply(7, RefreshResult(True, 5)), '{"id":7,"refresh":{"expires":true,"ttl":5}}', id="refresh"
        ),
        pytest.param(JSON.reply(8, SubRefreshResult()), '{"id":8,"sub_refresh":{}}', id="sub-refresh"),
        pytest.param(JSON.reply(9, PresenceResult({})), '{"id":9,"presence":{"presence":{}}}', id="presence-empty"),
        pytest.param(
            JSON.reply(9, PresenceResult({"c": ClientInfo("", "c")})),
            '{"id":9,"presence":{"presence":{"c":{"user":"","client":"c"}}}}',
            id="presence",
        ),
        pytest.param(
            JSON.reply(10, PresenceStatsResult(0, 0)),
            '{"id":10,"presence_stats":{"num_clients":0,"num_users":0}}',
            id="presence-stats",
        ),
        pytest.param(
            JSON.reply(11, HistoryResult([], "", 0)),
            '{"id":11,"history":{"publications":[],"epoch":"","offset":0}}',
            id="history-empty",
        ),
        pytest.param(
            JSON.reply(11, HistoryResult([Publication(b"1", 1, INFO, {"a": "b"}, time=7, epoch="e")], "e", 1)),
            '{"id":11,"history":{"publications":[{"data":1,"info":{"user":"42","client":"c1","conn_info":'
            '{"name":"ann"}},"offset":1,"tags":{"a":"b"},"epoch":"e"}],"epoch":"e","offset":1}}',
            id="history",
        ),
        pytest.param(
            JSON.reply(1, ConnectResult("c", "1 OSS", ping=25, pong=True, subs={"x": SubscribeResult(epoch="e")})),
            '{"id":1,"connect":{"client":"c","version":"1 OSS","subs":{"x":{"epoch":"e"}},"ping":25,"pong":true}}',
            id="connect",
        ),
        pytest.param(
            JSON.error(3, ERROR_PERMISSION_DENIED),
            '{"id":3,"error":{"code":103,"message":"permission denied"}}',
            id="error",
        ),
        pytest.param(
            JSON.error(3, ERROR_INTERNAL),
            '{"id":3,"error":{"code":100,"message":"internal server error","temporary":true}}',
            id="temporary-error",
        ),
        pytest.param(
            JSON.push("x", JoinPush(ClientInfo("", ""))),
            '{"push":{"channel":"x","join":{"info":{"user":"","client":""}}}}',
            id="join",
        ),
        pytest.param(
            JSON.push("x", LeavePush(INFO), 5),
            '{"push":{"id":5,"leave":{"info":{"user":"42","client":"c1","conn_info":{"name":"ann"}}}}}',
            id="leave-by-id",
        ),
        pytest.param(
            JSON.push("a", UnsubscribePush(2000, "server unsubscribe")),
            '{"push":{"channel":"a","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}',
            id="unsubscribe-push",
        ),
        pytest.param(
            JSON.push("a", SubscribePush(True, "e", 3, True, b'"d"')),
            '{"push":{"channel":"a","subscribe":{"recoverable":true,"epoch":"e","offset":3,"positioned":true,'
            '"data":"d"}}}',
            id="subscribe-push",
        ),
        pytest.param(JSON.push("a", SubscribePush()), '{"push":{"channel":"a","subscribe":{}}}', id="subscribe-empty"),
        pytest.param(JSON.push("", MessagePush(b"1")), '{"push":{"message":{"data":1}}}', id="message"),
        pytest.param(JSON.push("", RefreshPush()), '{"push":{"refresh":{}}}', id="refresh-push"),
        pytest.param(
            JSON.push("", DisconnectPush(3001, "shutdown")),
            '{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}',
            id="disconnect",
        ),
    ],
)
def test_text_on_the_wire(message: bytes, expected: str) -> None:
    assert message.decode() == expected


def check_reply(command_id: int, result: Any) -> None:
    _, name = RESULT_FIELDS[type(result)]
    message = JSON.reply(command_id, result)
    assert b"\n" not in message
    assert json.loads(message) == {"id": command_id, name: without_zeros(result)}


@given(command_id=st.integers(1, 2**32 - 1), result=RESULTS)
def test_replies_hold_what_is_not_zero(command_id: int, result: Any) -> None:
    check_reply(command_id, result)


@given(
    command_id=st.integers(1, 2**32 - 1),
    result=any_message(ConnectResult, incoming=False) | any_message(SubscribeResult, incoming=False),
)
def test_so_do_those_without_payloads(command_id: int, result: Any) -> None:
    held = {name: type(getattr(result, name))() for name in ("data", "subs", "publications") if hasattr(result, name)}
    check_reply(command_id, structs.replace(result, **held))


@given(channel=st.text(st.characters(codec="utf-8"), min_size=1), body=PUSHES, channel_id=st.integers(0, 2**63 - 1))
def test_pushes_hold_what_is_not_zero(channel: str, body: Any, channel_id: int) -> None:
    _, name = PUSH_FIELDS[type(body)]
    message = JSON.push(channel, body, channel_id)
    assert b"\n" not in message
    where: dict[str, Any] = {"id": channel_id} if channel_id else {"channel": channel}
    assert json.loads(message) == {"push": {**where, name: without_zeros(body)}}


@given(publication=PUBLICATIONS)
def test_publications_hold_what_is_not_zero(publication: Publication) -> None:
    message = JSON.publication_push(JSON.publication_prefix("news"), publication)
    assert b"\n" not in message
    assert json.loads(message) == {"push": {"channel": "news", "pub": without_zeros(publication)}}


@pytest.mark.parametrize(
    ("publication", "expected"),
    [
        pytest.param(Publication(b'{"b":1,"a":1.50,"a":2}'), '{"data":{"b":1,"a":1.50,"a":2}}', id="verbatim"),
        pytest.param(Publication(b"null", 7), '{"data":null,"offset":7}', id="null"),
        pytest.param(Publication(b'{\n  "a": 1\r\n}'), '{"data":{  "a": 1\r}}', id="newlines-removed"),
        pytest.param(Publication(b""), "{}", id="nothing"),
        pytest.param(Publication(b"", 3), '{"offset":3}', id="no-data"),
        pytest.param(
            Publication(b"1", 1, ClientInfo("", "c", b"[\n]"), time=5),
            '{"data":1,"info":{"user":"","client":"c","conn_info":[]},"offset":1}',
            id="info",
        ),
        pytest.param(
            Publication(b"1", 1, None, {"a": "\n"}, epoch="e", version=2),
            '{"data":1,"offset":1,"tags":{"a":"\\n"},"epoch":"e","version":2}',
            id="tags-epoch-version",
        ),
        pytest.param(
            Publication(b"1", key="k", removed=True, score=-5),
            '{"data":1,"key":"k","removed":true,"score":-5}',
            id="map-fields",
        ),
    ],
)
def test_publication_push(publication: Publication, expected: str) -> None:
    by_name = JSON.publication_push(JSON.publication_prefix("é"), publication)
    assert by_name.decode() == '{"push":{"channel":"é","pub":' + expected + "}}"
    by_id = JSON.publication_push(JSON.publication_prefix("é", 12), publication)
    assert by_id.decode() == '{"push":{"id":12,"pub":' + expected + "}}"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"binary", id="text"),
        pytest.param(b"\x00\xff", id="binary"),
        pytest.param(b'"\xff"', id="not-utf-8"),
        pytest.param(b'1,"code":2', id="more-than-a-value"),
        pytest.param(b" ", id="space"),
    ],
)
def test_payloads_that_are_not_json_are_refused(payload: bytes) -> None:
    info = ClientInfo("u", "c", payload)
    for result in (RPCResult(payload), SubscribeResult(data=payload), HistoryResult([Publication(payload)], "", 0)):
        with pytest.raises(PayloadNotJSON):
            JSON.reply(1, result)
    with pytest.raises(PayloadNotJSON):
        JSON.reply(1, PresenceResult({"c": info}))
    with pytest.raises(PayloadNotJSON):
        JSON.push("x", JoinPush(info))
    with pytest.raises(PayloadNotJSON):
        JSON.recovered_deltas([Publication(b"1", info=info)])
    assert not json_payload_ok(payload)


@pytest.mark.parametrize(
    ("payload", "sent"), [(b'"a\nb"', b'"ab"'), (b'{"a":"\n","b" :\n1}', b'{"a":"","b" :1}'), (b"1\n2", b"12")]
)
def test_a_line_break_that_makes_a_payload_no_json_does_no_harm(payload: bytes, sent: bytes) -> None:
    assert json_payload_ok(payload)
    assert JSON.reply(1, RPCResult(payload)) == b'{"id":1,"rpc":{"data":%b}}' % sent


def test_lone_surrogates_leave_as_replacement_characters() -> None:
    message = JSON.push("\ud83d", UnsubscribePush(2000, "x"))
    assert json.loads(message)["push"]["channel"] == "\ufffd"
    assert json.loads(JSON.reply(1, SubscribeResult(epoch="\ud83d")))["subscribe"]["epoch"] == "\ufffd"


# ---------------------------------------------------------------------------------------------- delta


def pushed_with_delta(publication: Publication, patch: bytes | None, *, attempted: bool = True) -> dict[str, Any]:
    message = JSON.delta_push(JSON.publication_prefix("x"), publication, patch, attempted=attempted)
    assert b"\n" not in message
    pub: dict[str, Any] = json.loads(message)["push"]["pub"]
    return pub


def test_a_full_payload_beside_deltas_is_a_string() -> None:
    publication = Publication(
        b'{"t":\n1}', 5, INFO, {"a": "b"}, time=9, key="k", removed=True, score=1, epoch="e", version=7
    )
    expected = {
        "data": '{"t":\n1}',
        "info": {"user": "42", "client": "c1", "conn_info": {"name": "ann"}},
        "offset": 5,
        "tags": {"a": "b"},
        "key": "k",
        "removed": True,
        "score": 1,
    }
    assert pushed_with_delta(publication, None, attempted=False) == expected
    assert pushed_with_delta(publication, None, attempted=True) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"not json", "not json", id="not-json"),
        pytest.param(b"a\xe2\x82b\xff", "a\ufffd\ufffdb\ufffd", id="each-bad-byte-is-replaced"),
        pytest.param("é\u2028".encode(), "é\u2028", id="utf-8"),
    ],
)
def test_any_payload_can_be_a_string(payload: bytes, expected: str) -> None:
    assert pushed_with_delta(Publication(payload), None) == {"data": expected}


def test_a_patch_is_a_string_with_delta() -> None:
    base, target = b'{"text":"hello, this is long enough","n":1}', b'{"text":"hello, this is long enough","n":2}'
    pub = pushed_with_delta(Publication(target, 2), create_delta(base, target))
    assert (pub["delta"], pub["offset"]) == (True, 2)
    assert apply_delta(base, pub["data"].encode()) == target


def test_a_patch_that_is_not_utf8_is_replaced_by_the_payload() -> None:
    assert pushed_with_delta(Publication(b'"\xc3\xa8"'), b"cut \xa8 character") == {"data": '"è"'}


def test_recovered_deltas_chain() -> None:
    payloads = [b'{"n":%d,"text":"the same in all of them"}' % n for n in range(3)] + [b"{}"]
    publications = [
        Publication(payload, n, INFO, {"a": "b"}, key="k", score=1, removed=True, epoch="e", version=3)
        for n, payload in enumerate(payloads, 1)
    ]
    encoded = JSON.recovered_deltas(publications)
    reply = JSON.reply(1, SubscribeResult(publications=encoded, recovered=True))
    received = json.loads(reply)["subscribe"]["publications"]
    assert [pub.get("delta", False) for pub in received] == [False, True, True, False]
    assert all(pub.keys() <= {"data", "delta", "offset", "info", "tags"} for pub in received)
    texts = [pub["data"].encode() for pub in received]
    assert texts[0] == payloads[0]
    assert apply_delta(payloads[0], texts[1]) == payloads[1]
    assert apply_delta(payloads[1], texts[2]) == payloads[2]
    assert texts[3] == payloads[3]
    assert JSON.recovered_deltas([]) == []


def test_a_recovered_patch_that_is_not_utf8_is_replaced_by_the_payload() -> None:
    first, second = (b'{"note":"' + b"x" * 40 + letter.encode() + b' 22:00"}' for letter in ("à", "è"))
    _, encoded = JSON.recovered_deltas([Publication(first), Publication(second)])
    assert encoded == EncodedPublication(b'{"data":' + json.dumps(second.decode(), ensure_ascii=False).encode() + b"}")
