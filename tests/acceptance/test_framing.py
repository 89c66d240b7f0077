"""Frames and encodings: what stands in them, and what is refused (01 §2, §4, 02 §6)."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.acceptance.configs import OPEN
from tests.support.protobuf import encoded
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

BAD_REQUEST = (3501, "bad request")
JSON_FIRST = ["foo", "centrifuge-json", "centrifuge-protobuf"]
PROTOBUF_FIRST = ["foo", "centrifuge-protobuf", "centrifuge-json"]


@pytest.mark.parametrize(
    ("offered", "query", "selected", "is_protobuf"),
    [
        pytest.param(PROTOBUF_FIRST, "", "centrifuge-protobuf", True, id="01-23-02-5-the-client's-order"),
        pytest.param(JSON_FIRST, "", "centrifuge-json", False, id="01-23-json-first"),
        pytest.param(["foo"], "", None, False, id="01-23-02-5-none-known"),
        pytest.param([], "", None, False, id="none-offered"),
        pytest.param([], "?format=protobuf", None, True, id="02-6-format"),
        pytest.param([], "?cf_protocol=protobuf", None, True, id="02-6-cf-protocol"),
        pytest.param(["centrifuge-json"], "?format=protobuf", "centrifuge-json", True, id="02-6-query-wins"),
        pytest.param(["centrifuge-protobuf"], "?format=json", "centrifuge-protobuf", True, id="no-way-back"),
    ],
)
async def test_the_encoding_is_negotiated(
    server: Server, offered: list[str], query: str, selected: str | None, is_protobuf: bool
) -> None:
    subprotocols = [Subprotocol(each) for each in offered] or None
    async with connect(server.ws_url + query, subprotocols=subprotocols, ping_interval=None) as socket:
        assert socket.response is not None
        assert socket.response.headers.get("Sec-WebSocket-Protocol") == selected
        await socket.send(encoded({"id": 1, "connect": {}}) if is_protobuf else '{"id":1,"connect":{}}')
        assert isinstance(await socket.recv(), bytes if is_protobuf else str)


async def test_protobuf_messages_have_their_length_before_them(server: Server, name: str) -> None:  # 01-22
    async with connected(server, is_protobuf=True) as client:
        (frame,) = client.frames
        assert isinstance(frame, bytes)
        assert frame[0] == len(frame) - 1
        assert await client.subscribe(name) == {}
        assert client.frames[1] == bytes([4, 0x08, 2, 0x32, 0])


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param("", id="01-18-02-9-empty"),
        pytest.param("\n", id="01-18-only-a-line-break"),
        pytest.param('\n{"id":2,"rpc":{}}', id="2.4-leading-blank-line"),
        pytest.param("not json", id="02-9-text"),
        pytest.param('{"id":"2","rpc":{}}', id="01-18-id-as-text"),
        pytest.param('{"id":4294967296,"rpc":{}}', id="2.4-id-too-large"),
        pytest.param('{"id":-1,"rpc":{}}', id="2.4-negative-id"),
        pytest.param('{"id":2.0,"rpc":{}}', id="2.4-fraction"),
        pytest.param("[]", id="2.4-array"),
        pytest.param("7", id="2.4-number"),
        pytest.param('{"id":2,"subscribe":{"channel":7}}', id="2.4-number-for-text"),
        pytest.param('{"id":2,"subscribe":[]}', id="2.4-list-for-object"),
        pytest.param('{"id":2,"rpc":{"data":{]}}', id="2.4-broken-payload"),
        pytest.param('{"id":2,"x":{]}', id="2.4-broken-ignored-key"),
        pytest.param('{"id":5,"ping":{}}', id="01-14-ping-command"),
        pytest.param('{"id":5}', id="01-14-no-command"),
        pytest.param("{}", id="01-24-02-15-pong-before-any-ping"),
        pytest.param('{"rpc":{}}', id="4.1-command-without-id"),
        pytest.param('{"id":2,"subscribe":{"channel":""}}', id="01-10-empty-channel"),
        pytest.param('{"id":2,"unsubscribe":{"channel":""}}', id="6.3-unsubscribe-empty-channel"),
        pytest.param('{"id":2,"publish":{"data":{}}}', id="6.4-publish-empty-channel"),
        pytest.param('{"id":2,"presence":{}}', id="6.5-presence-empty-channel"),
        pytest.param('{"id":2,"presence_stats":{}}', id="6.6-presence-stats-empty-channel"),
        pytest.param('{"id":2,"history":{}}', id="6.7-history-empty-channel"),
        pytest.param('{"id":2,"refresh":{}}', id="01-26-refresh-empty-token"),
        pytest.param('{"id":2,"sub_refresh":{}}', id="01-28-sub-refresh-with-nothing"),
        pytest.param('{"id":2,"subscribe":{"channel":"a","delta":"x"}}', id="01-42-03-41-unknown-delta"),
    ],
)
async def test_a_bad_frame_closes(server: Server, frame: str) -> None:
    async with connected(server) as client:
        await client.socket.send(frame)
        assert await client.closed() == BAD_REQUEST
        assert client.nothing_waits()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80", id="truncated-length"),
        pytest.param(b"\xff" * 9 + b"\x7f\x08", id="length-of-more-than-64-bits"),
        pytest.param(b"\xff\xff\xff\xff\x0f\x08", id="huge-length"),
        pytest.param(b"\x05\x08\x02", id="truncated-body"),
        pytest.param(b"\x02\x0a\x00", id="id-of-another-wire-type"),
        pytest.param(b"\x02\x00\x01", id="field-number-zero"),
        pytest.param(b"\x01\x07", id="undefined-wire-type"),
        pytest.param(b"\x01\x73", id="group-without-end"),
        pytest.param(b"\x04\x08\x02\x2a\x05", id="field-beyond-its-message"),
        pytest.param(b"\x00", id="pong-before-any-ping"),
    ],
)
async def test_a_bad_protobuf_frame_closes(server: Server, frame: bytes) -> None:
    async with connected(server, is_protobuf=True) as client:
        await client.socket.send(frame)
        assert await client.closed() == BAD_REQUEST


@pytest.mark.parametrize("broken", [pytest.param("{bad", id="01-17"), pytest.param("\n", id="2.4-blank-line")])
async def test_what_stands_before_a_broken_command_is_done(server: Server, name: str, broken: str) -> None:
    async with connected(server) as client:
        await client.socket.send(f'{{"id":7,"presence_stats":{{"channel":"all:{name}"}}}}\n{broken}')
        assert await client.receive() == {"id": 7, "presence_stats": {"num_clients": 0, "num_users": 0}}
        assert await client.closed() == BAD_REQUEST


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param('{"id":2,"unsubscribe":{"channel":"x"}}\n', id="01-18-one-line-break-at-the-end"),
        pytest.param('{"id":2,"unsubscribe":{"channel":"x","y":[{}]},"z":null}', id="01-18-unknown-keys"),
        pytest.param('{"id":1,"id":2,"unsubscribe":{"channel":"a","channel":"x"}}', id="2.2-last-one-counts"),
        pytest.param('{"id":2,"subscribe":null,"unsubscribe":{"channel":"x"}}', id="2.2-null-is-nothing"),
        pytest.param('  {"id" :\t2, "unsubscribe":\r{"channel":"x"}} ', id="2.2-white-space"),
    ],
)
async def test_a_good_frame_is_answered(server: Server, frame: str) -> None:
    async with connected(server) as client:
        await client.socket.send(frame)
        assert await client.receive() == {"id": 2, "unsubscribe": {}}  # 01-13 too


async def test_fragments_make_one_message(server: Server, name: str) -> None:
    async with connected(server) as client:
        await client.socket.send(iter(['{"id":2,"subs', f'cribe":{{"channel":"{name}"}}}}']))
        assert await client.receive() == {"id": 2, "subscribe": {}}


async def test_a_message_of_the_limit_passes_and_one_byte_more_does_not(server: Server) -> None:  # 02-10
    def of_length(length: int) -> str:
        frame = '{"id":2,"unsubscribe":{"channel":"%s"}}'
        return frame % ("x" * (length - len(frame % "")))

    async with connected(server) as client:
        await client.socket.send(of_length(65536))
        assert await client.receive() == {"id": 2, "unsubscribe": {}}
        await client.socket.send(of_length(65537))
        assert await client.closed() == (1009, "")


async def test_a_websocket_ping_is_answered_with_its_payload(server: Server) -> None:  # 02-13
    async with connected(server) as client:
        await (await client.socket.ping(b"abc"))


@pytest.mark.parametrize("code", [pytest.param(1000, id="02-14"), 3333])
async def test_the_client_s_close_is_echoed_without_its_reason(server: Server, code: int) -> None:
    async with connected(server) as client:
        await client.socket.close(code, "bye")
        close = client.socket.protocol.close_rcvd
        assert close is not None
        assert (close.code, close.reason) == (code, "")


LISTS = "[" * 30000 + "]" * 30000
FILTER = '{"op":"and","nodes":[' * 65 + '{"key":"a","cmp":"ex"}' + "]}" * 65


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(f'{{"id":2,"subscribe":{{"channel":"a","tf":{LISTS}}}}}', 3501, id="2.4-lists"),
        pytest.param(f'{{"id":2,"subscribe":{{"channel":"tags:a","tf":{FILTER}}}}}', 107, id="fix-12-a-filter"),
        pytest.param(f'{{"id":2,"x":{LISTS}}}', 3501, id="2.4-an-unknown-key"),
    ],
)
async def test_nesting_without_end_harms_nobody(server: Server, name: str, frame: str, code: int) -> None:
    async with connected(server) as other:
        async with connected(server) as client:
            await client.socket.send(frame)
            if code == 107:
                assert (await client.receive())["error"]["code"] == 107
            else:
                assert await client.closed() == BAD_REQUEST
        assert await other.subscribe(name) == {}


async def test_messages_queued_together_travel_together(server: Server, name: str) -> None:  # 2.5
    async with connected(server) as client:
        client.frames.clear()
        await client.send(*({"id": number, "unsubscribe": {"channel": name}} for number in range(1, 41)))
        replies = [await client.receive() for _ in range(40)]
        assert [reply["id"] for reply in replies] == list(range(1, 41))
        lines = [str(frame).split("\n") for frame in client.frames]
        assert all(len(frame) <= 16 and all(map(json.loads, frame)) for frame in lines)


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        pytest.param({"send": {"data": {}}}, 3508, "not available", id="01-15-send"),
        pytest.param({"id": 1, "send": {"data": {}}}, 3508, "not available", id="01-15-send-with-id"),
    ],
)
async def test_send_is_not_available(server: Server, command: dict[str, object], code: int, reason: str) -> None:
    async with connected(server) as client:
        await client.send(command)
        assert await client.closed() == (code, reason)


async def test_without_methods_rpc_is_not_available(server: Server) -> None:  # 01-16
    async with connected(server) as client:
        assert await client.error(rpc={"method": "x", "data": {}}) == 108


@pytest.mark.parametrize("is_protobuf", [pytest.param(False, id="json"), pytest.param(True, id="protobuf")])
async def test_the_built_in_method_answers_with_nothing(shared_server: StartServer, is_protobuf: bool) -> None:
    server = shared_server({**OPEN, "rpc": {"ping": {"enabled": True}}})  # 01-16
    async with connected(server, is_protobuf=is_protobuf) as client:
        assert await client.call(rpc={"method": "ping", "data": b"{}" if is_protobuf else {}}) == {}
        assert await client.error(rpc={"method": "x"}) == 104


async def test_payloads_keep_their_spelling(server: Server, name: str) -> None:  # 01-19
    text = '{"b" : 1,"a":1.50,\t"a":2,"c":"\\u00e9\\ud83d"}'
    async with connected(server) as client:
        await client.subscribe(name)
        await client.socket.send(f'{{"id":2,"publish":{{"channel":"{name}","data":{text}}}}}')
        await client.push()
        assert f'"data":{text}' in client.text
        lines = text.replace(",", ",\n").replace(":", ":\r\n")
        publish = f'{{"channel":"{name}","data":{lines}}}'
        await server.post("publish", publish)
        await client.receive()
        await client.push()
        assert f'"data":{lines}'.replace("\n", "") in client.text


async def test_line_breaks_are_removed_within_strings_too(server: Server, name: str) -> None:  # 01 §2.2
    async with connected(server) as client, connected(server, is_protobuf=True) as binary:
        await client.subscribe(name)
        await binary.subscribe(name)
        await server.api("publish", {"channel": name, "b64data": b64encode(b'"a\nb"').decode()})
        assert (await client.push())["pub"]["data"] == "ab"
        assert (await binary.publication())["data"] == b'"a\nb"'


async def test_null_is_a_payload_and_none_is_a_bad_request(server: Server, name: str) -> None:  # 01-20
    async with connected(server) as client:
        await client.subscribe(name)
        await client.socket.send(f'{{"id":2,"publish":{{"channel":"{name}","data":null}}}}')
        assert (await client.push())["pub"] == {"data": None, "info": {"user": "", "client": client.client_id}}
        assert await client.receive() == {"id": 2, "publish": {}}
    async with connected(server) as client:
        assert await client.error(publish={"channel": name}) == 107


async def test_what_is_no_json_closes_json_subscribers_only(server: Server, name: str) -> None:  # 01-21
    async with connected(server) as client, connected(server, is_protobuf=True) as binary:
        await client.subscribe(name)
        await binary.subscribe(name)
        await server.api("publish", {"channel": name, "b64data": "//4A"})
        assert await client.closed() == (3506, "inappropriate protocol")
        assert (await binary.publication())["data"] == b"\xff\xfe\x00"
    async with connected(server, is_protobuf=True) as binary, connected(server) as client:
        await client.subscribe(name)
        await binary.call(publish={"channel": name, "data": b"{"})
        assert await client.closed() == (3506, "inappropriate protocol")


async def test_an_open_connection_may_still_be_read_after_a_bad_frame_of_another(server: Server) -> None:
    async with opened(server) as bad, connected(server) as good:
        await bad.socket.send(b"\xff\xfe")
        assert await bad.closed() == BAD_REQUEST
        assert await good.call(unsubscribe={"channel": "x"}) == {}
