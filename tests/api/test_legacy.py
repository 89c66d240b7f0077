"""The legacy envelope (05 §2.8; check 29)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fanjet.api.calls import Calls
from fanjet.api.encoding import PayloadNotJSON
from fanjet.api.legacy import run_legacy
from fanjet.protocol.json_encoding.scan import MalformedJSON

if TYPE_CHECKING:
    from tests.api.fake_node import FakeNode

PUBLISH = b'{"method":"publish","params":{"channel":"a","data":1}}'
BAD_REQUEST = b'"error":{"code":107,"message":"bad request"}'
NOT_FOUND = b'"error":{"code":104,"message":"not found"}'


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        pytest.param(
            b'{"id":1,"method":"publish","params":{"channel":"a","data":1}}', b'{"id":1,"result":{}}', id="name"
        ),
        pytest.param(
            b'{"method":"PuBlish","params":{"channel":"a","data":1}}', b'{"result":{}}', id="case-of-the-name"
        ),
        pytest.param(b'{"id":1,"method":0,"params":{"channel":"a","data":1}}', b'{"id":1,"result":{}}', id="number"),
        pytest.param(b'{"params":{"channel":"a","data":1}}', b'{"result":{}}', id="publish-is-meant"),
        pytest.param(
            b'{"id":2,"method":"presence_stats","params":{"channel":"ns:a"}}',
            b'{"id":2,"result":{"num_clients":0,"num_users":0}}',
            id="result",
        ),
        pytest.param(b'{"id":null,"method":99,"params":{}}', b"{" + NOT_FOUND + b"}", id="unknown-number"),
        pytest.param(b'{"id":3,"method":-1}', b'{"id":3,' + NOT_FOUND + b"}", id="negative-number"),
        pytest.param(b'{"method":13}', b"{" + NOT_FOUND + b"}", id="unused-number"),
        pytest.param(b'{"method":"connections","params":{}}', b"{" + NOT_FOUND + b"}", id="not-built"),
        pytest.param(b'{"method":"channels"}', b"{" + BAD_REQUEST + b"}", id="no-params"),
        pytest.param(b'{"method":"presence","params":null}', b"{" + BAD_REQUEST + b"}", id="null-is-empty-params"),
        pytest.param(b'{"method":"channels","params":null}', b'{"result":{"channels":{}}}', id="null-params"),
        pytest.param(b'{"method":"channels","params":[]}', b"{" + BAD_REQUEST + b"}", id="params-not-an-object"),
        pytest.param(b'{"method":"publish","params":{"channel":1}}', b"{" + BAD_REQUEST + b"}", id="bad-params"),
        pytest.param(b"null", b"{" + BAD_REQUEST + b"}", id="null-command"),
        pytest.param(b"{}", b"{" + BAD_REQUEST + b"}", id="empty-command"),
        pytest.param(b" \n\t ", b"", id="white-space"),
    ],
)
async def test_one_command(node: FakeNode, body: bytes, reply: bytes) -> None:
    assert await run_legacy(Calls(node), body) == reply


@pytest.mark.parametrize("params", [b"", b',"params":null', b',"params":[]', b',"params":"x"'])
async def test_info_ignores_its_params(node: FakeNode, params: bytes) -> None:
    assert (await run_legacy(Calls(node), b'{"method":"info"' + params + b"}")).startswith(b'{"result":{"nodes":')


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\n".join([PUBLISH] * 3), id="lines"),
        pytest.param(b"\n\n" + b"\r\n\n".join([PUBLISH] * 3) + b"\n", id="blank-lines"),
        pytest.param(b"".join([PUBLISH] * 3), id="nothing-between"),
        pytest.param(b" ".join([PUBLISH.replace(b",", b",\n").replace(b":", b" : ")] * 3), id="over-several-lines"),
    ],
)
async def test_commands_one_after_another(node: FakeNode, body: bytes) -> None:
    assert await run_legacy(Calls(node), body) == b'{"result":{}}\n{"result":{}}\n{"result":{}}'
    assert len(node.published) == 3


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(b'{"method":"nosuch"}', id="unknown-name"),
        pytest.param(b'{"method":"batch"}', id="batch"),
        pytest.param(b'{"method":""}', id="empty-name"),
        pytest.param(b'{"method":"0"}', id="digits"),
        pytest.param(b'{"method":null}', id="null-method"),
        pytest.param(b'{"method":1.0}', id="fraction"),
        pytest.param(b'{"method":true}', id="boolean"),
        pytest.param(b'{"method":["publish"]}', id="list"),
        pytest.param(b'{"id":-1}', id="negative-id"),
        pytest.param(b'{"id":"1"}', id="id-as-string"),
        pytest.param(b'{"id":4294967296}', id="id-too-large"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"1", id="number"),
        pytest.param(b"{", id="broken"),
    ],
)
async def test_what_cannot_be_decoded_fails_the_request_but_what_came_before_is_done(
    node: FakeNode, command: bytes
) -> None:
    with pytest.raises(MalformedJSON):
        await run_legacy(Calls(node), PUBLISH + b"\n" + command + b"\n" + PUBLISH)
    assert len(node.published) == 1


async def test_bytes_that_are_not_utf_8_are_refused(node: FakeNode) -> None:
    with pytest.raises(MalformedJSON):
        await run_legacy(Calls(node), b'{"method":"\xff"}')


async def test_line_breaks_inside_payloads_do_not_break_lines(node: FakeNode) -> None:
    body = b'{"params":{"channel":"ns:a","data":{"a":\n1}}}{"method":"history","params":{"channel":"ns:a","limit":1}}'
    replies = (await run_legacy(Calls(node), body)).split(b"\n")
    assert len(replies) == 2
    assert json.loads(replies[1])["result"]["publications"][0]["data"] == {"a": 1}


async def test_a_payload_that_is_not_json_fails_the_request(node: FakeNode) -> None:
    body = b'{"params":{"channel":"ns:a","b64data":"aGk="}}{"method":6,"params":{"channel":"ns:a","limit":1}}'
    with pytest.raises(PayloadNotJSON):
        await run_legacy(Calls(node), body)
