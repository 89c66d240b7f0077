"""Whole frames with bad commands in them (01 §2.4): only who sends them is closed, or told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.raw import frame, websocket
from tests.hostile.waiting import until
from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.support.server import Server

DEEP = 10_000
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def hello(user: str = "odd") -> bytes:
    return json.dumps({"id": 1, "connect": {"token": token(user)}}).encode()


def nested(levels: int, opening: bytes = b"[", middle: bytes = b"1", closing: bytes = b"]") -> bytes:
    return opening * levels + middle + closing * levels


def filter_nested(levels: int) -> bytes:
    return nested(levels, b'{"op":"not","nodes":[', b'{"key":"a","cmp":"ex"}', b"]}")


MALFORMED = [
    pytest.param(b"[1]", id="array"),
    pytest.param(b'"x"', id="string"),
    pytest.param(b"7", id="number"),
    pytest.param(b"{", id="truncated"),
    pytest.param(b'{"id":2,"rpc":', id="truncated-later"),
    pytest.param(b"\n", id="blank-line"),
    pytest.param(b'{"id":2,"rpc":{"method":"ping"}}\n\n{"id":3,"rpc":{"method":"ping"}}', id="blank-line-between"),
    pytest.param(b'{"id":"2","rpc":{}}', id="id-string"),
    pytest.param(b'{"id":-2,"rpc":{}}', id="id-negative"),
    pytest.param(b'{"id":2.5,"rpc":{}}', id="id-fraction"),
    pytest.param(b'{"id":7.0,"rpc":{}}', id="id-whole-fraction"),
    pytest.param(b'{"id":1e1,"rpc":{}}', id="id-exponent"),
    pytest.param(b'{"id":4294967296,"rpc":{}}', id="id-too-large"),
    pytest.param(b'{"id":%s,"rpc":{}}' % (b"9" * 5000), id="id-gigantic"),
    pytest.param(b'{"id":2,"subscribe":[]}', id="list-for-object"),
    pytest.param(b'{"id":2,"subscribe":{"channel":7}}', id="number-for-string"),
    pytest.param(b'{"id":2,"subscribe":{"channel":"a","recover":"yes"}}', id="string-for-bool"),
    pytest.param(b'{"id":2,"subscribe":{"channel":"a","offset":-1}}', id="negative-for-unsigned"),
    pytest.param(b'{"id":2,"subscribe":{"channel":"a","tf":[]}}', id="list-for-filter"),
    pytest.param(b'{"id":2,"subscribe":{"channel":"a","tf":{"vals":"x"}}}', id="string-for-list"),
    pytest.param(b'{"id":2,"history":{"channel":"a","since":3}}', id="number-for-position"),
    pytest.param(b'{"id":2,"publish":{"channel":"a","data":{]}}', id="payload-not-json"),
    pytest.param(b'{"id":2,"rpc":{"method":"ping","data":01}}', id="payload-number-not-json"),
    pytest.param(b'{"id":2,"rpc":{"method":"a\\ud83"}}', id="escape-cut-off"),
    pytest.param(b'{"id":5}', id="no-command"),
    pytest.param(b'{"id":7,"ping":{}}', id="ping-command"),
    pytest.param(b"{}", id="unasked-pong"),
    pytest.param(b"", id="empty"),
]


@pytest.mark.parametrize("payload", MALFORMED)
async def test_a_malformed_command_closes_with_3501(server: Server, payload: bytes) -> None:
    async with websocket(server) as raw:
        await raw.send(frame(hello()) + frame(payload))
        code, messages = await raw.ending()
        assert code == 3501
        assert b'"connect"' in messages[0]


OBJECTS = nested(DEEP, b'{"a":', b"1", b"}")
DEEP_ONES = [
    pytest.param(b'{"id":2,"subscribe":{"channel":"deep","tf":%s}}' % filter_nested(2000), id="filter"),
    pytest.param(b'{"id":2,"publish":{"channel":"deep","data":%s}}' % nested(DEEP), id="data-lists"),
    pytest.param(
        b'{"id":2,"publish":{"channel":"deep","data":%s}}' % nested(DEEP, b'{"a":', b"1", b"}"), id="data-objects"
    ),
    pytest.param(b'{"id":2,"rpc":{"method":"ping","data":%s}}' % nested(30_000), id="data-30-000"),
    pytest.param(b'{"id":2,"rpc":{"method":"ping"},"unknown":%s}' % nested(DEEP), id="unknown-key"),
    pytest.param(
        b'{"id":2,"rpc":{"method":"ping","unknown":%s}}' % nested(DEEP, b'{"a":', b"1", b"}"), id="unknown-inner-key"
    ),
    pytest.param(b'{"id":2,"rpc":{"method":"ping","data":%s}}' % (b"[" * 60_000), id="never-closed"),
    pytest.param(b"[" * 65_000, id="nothing-but-brackets"),
    pytest.param(b'{"id":2,"rpc":{"method":"\\ud800","data":%s}}' % nested(DEEP), id="deep-with-a-lone-surrogate"),
    pytest.param(b'{"id":2,"connect":{"subs":%s}}' % nested(DEEP, b'{"a":', b"{}", b"}"), id="map-of-objects"),
]


@pytest.mark.parametrize("payload", DEEP_ONES)
async def test_deep_json_is_answered_or_refused(server: Server, payload: bytes) -> None:
    async with websocket(server) as raw:
        await raw.send(frame(hello()) + frame(payload) + frame(b'{"id":3,"send":{}}'))
        code, messages = await raw.ending()
        assert code in {3501, 3508}
        answer = json.loads(messages[1]) if code == 3508 and b"\n" not in messages[1] else {}
        assert answer.get("error", {}).get("code") in {None, 104, 107}


async def test_a_filter_beyond_the_allowed_depth_is_a_bad_request_and_keeps_the_connection(server: Server) -> None:
    async with connected(server, token("deep")) as client:
        node = {"key": "a", "cmp": "ex"}
        for _ in range(70):
            node = {"op": "not", "nodes": [node]}
        assert await client.error(subscribe={"channel": "deep", "tf": node}) == 107
        await client.call(rpc={"method": "ping"})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"\xff\xfe", id="never"),
        pytest.param(b"\xc3", id="cut"),
        pytest.param(b"\xed\xa0\x80", id="surrogate"),
    ],
)
async def test_invalid_utf8_never_reaches_another_client(server: Server, name: str, text: bytes) -> None:
    async with connected(server, token("reader")) as reader, websocket(server) as raw:
        await reader.subscribe(name)
        channel = name.encode()
        await raw.send(frame(hello()))
        await raw.send(frame(b'{"id":2,"subscribe":{"channel":"%s"}}' % channel))
        await raw.send(frame(b'{"id":3,"publish":{"channel":"%s","data":"%s"}}' % (channel, text)))
        await raw.send(frame(b'{"id":4,"send":{}}'))
        assert (await raw.ending()).code in {3501, 3508}
        await reader.call(publish={"channel": name, "data": "valid"})
        while (await reader.publication())["data"] != "valid":
            pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["connect", "subscribe", "unsubscribe", "publish", "presence", "history", "rpc", "refresh", "sub_refresh", "ping"]
)
inner_fields = st.sampled_from(
    ["channel", "data", "token", "recover", "offset", "epoch", "limit", "since", "tf", "subs"]
)


@given(field=fields, body=json_values | st.dictionaries(inner_fields, json_values, max_size=4), number=json_values)
@few
async def test_any_json_in_any_field_is_answered_or_closes_its_sender(
    server: Server, field: str, body: object, number: object
) -> None:
    command = json.dumps({"id": number, field: body}).encode()
    async with websocket(server) as raw:
        await raw.send(frame(hello("any")) + frame(command) + frame(b'{"id":3,"send":{}}'))
        assert (await raw.ending()).code in {3005, 3500, 3501, 3508}


@given(body=st.binary(max_size=200))
@few
async def test_any_bytes_as_protobuf_are_answered_or_close_their_sender(server: Server, body: bytes) -> None:
    async with websocket(server, "?format=protobuf") as raw:
        await raw.send(frame(bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body, opcode=0x2))
        await raw.send(frame(b"\x00", opcode=0x2))
        assert (await raw.ending()).code in {3500, 3501}


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"\xff" * 9 + b"\x01", id="length-of-64-bits"),
        pytest.param(b"\xff" * 20, id="length-without-end"),
        pytest.param(b"\xff\xff\xff\xff\x0f" + b"x" * 100, id="length-of-4-gib"),
        pytest.param(b"\x05ab", id="body-cut-off"),
        pytest.param(b"\x80", id="length-cut-off"),
        pytest.param(b"\x02\x0a\x7f", id="field-cut-off"),
        pytest.param(b"\x03\x08\xff\xff", id="varint-cut-off"),
        pytest.param(b"\x04\x22\x02\x0a\xff", id="inner-field-cut-off"),
    ],
)
async def test_malformed_protobuf_closes_with_3501(server: Server, payload: bytes) -> None:
    async with websocket(server, "?format=protobuf") as raw:
        await raw.send(frame(payload, opcode=0x2))
        assert (await raw.ending()).code == 3501


async def test_a_message_over_the_limit_closes_and_the_largest_allowed_does_not(server: Server) -> None:
    async with opened(server) as client:
        await client.connect(token=token("large"))
        head = '{"id":2,"rpc":{"method":"ping","data":"'
        await client.socket.send(head + "x" * (65536 - len(head) - 3) + '"}}')
        assert (await client.receive())["id"] == 2
        await client.socket.send(head + "x" * (65537 - len(head) - 3) + '"}}')
        assert (await client.closed())[0] == 1009


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(frame((1000).to_bytes(2, "big"), opcode=0x8), 1000, id="a-close-frame"),
        pytest.param(frame(b"{}", opcode=0x3), 1002, id="a-broken-frame"),
        pytest.param(frame(b"[1]"), 3501, id="a-malformed-command"),
    ],
)
async def test_what_came_before_the_end_in_the_same_packet_is_answered(server: Server, end: bytes, code: int) -> None:
    pings = [json.dumps({"id": number, "rpc": {"method": "ping"}}).encode() for number in range(2, 102)]
    async with websocket(server) as raw:
        await raw.send(b"".join(map(frame, [hello(), *pings])) + end)
        ending = await raw.ending()
    assert ending.code == code
    answers = [json.loads(line) for message in ending.messages for line in message.splitlines()]
    assert [answer["id"] for answer in answers] == list(range(1, 102))


@pytest.mark.parametrize("end", ["a-close-frame", "the-end-of-the-stream"])
async def test_what_was_sent_before_the_client_left_is_carried_out(server: Server, end: str) -> None:
    channel = f"left-by-{end}"
    publishes = [{"id": number, "publish": {"channel": channel, "data": {}}} for number in range(2, 302)]
    async with websocket(server) as raw:
        await raw.send(frame(hello()))
        await raw.reader.read(65536)
        close = frame((1000).to_bytes(2, "big"), opcode=0x8) if end == "a-close-frame" else b""
        await raw.send(frame("\n".join(map(json.dumps, publishes)).encode()) + close)
        if end == "the-end-of-the-stream":
            raw.writer.write_eof()
        await raw.rest()

    async def is_done() -> bool:
        stream = await server.api("history", {"channel": channel, "limit": 0})
        return bool(stream["offset"] == len(publishes))

    await until(is_done)
