"""`subscribe`, `unsubscribe`, `disconnect`, `refresh` (05 §6.3-6.6): what the node is asked to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fanjet.channels.subscription import Source
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.protocol.codes import ERROR_EXPIRED, ERROR_INTERNAL, ReplyError
from fanjet.protocol.publication import StreamPosition

if TYPE_CHECKING:
    from tests.api.conftest import Call
    from tests.api.fake_node import FakeNode

DONE: dict[str, Any] = {"result": {}}
ANYBODY = {"user": "", "client": "", "session": ""}
ANN = {"user": "ann", "client": "c1", "session": "s1"}


async def test_subscribe_hands_over_options_of_namespace_and_request(call: Call, node: FakeNode) -> None:
    answer = await call(
        "subscribe", **ANN, channel="ns:x", data={"d": 1}, info=None, expire_at=7,
        recover_since={"offset": 3, "epoch": "e"},
        override={"presence": {"value": False}, "join_leave": {"value": True}},
    )  # fmt: skip
    assert answer == DONE
    ((command, given),) = node.commands
    options = given.pop("options")
    assert (command, given) == ("subscribe", {**ANN, "channel": "ns:x", "since": StreamPosition(3, "e")})
    assert options.source is Source.SERVER_API
    assert (options.data, options.chan_info, options.expire_at) == (b'{"d": 1}', b"null", 7)
    assert (options.presence, options.join_leave, options.recovery) == (False, True, False)


async def test_subscribe_takes_base64_payloads_first(call: Call, node: FakeNode) -> None:
    assert await call("subscribe", channel="a", data=1, b64data="aGk=", info=2, b64info="/w==") == DONE
    options = node.commands[0][1]["options"]
    assert (options.data, options.chan_info) == (b"hi", b"\xff")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({}, 107, id="no-channel"),
        pytest.param({"channel": "zz:a", "b64data": "***"}, 102, id="unknown-namespace"),
        pytest.param({"channel": "m:1"}, 107, id="map-channel"),
        pytest.param({"channel": "poll:1"}, 107, id="shared-poll-channel"),
        pytest.param({"channel": "a", "b64data": "***"}, 107, id="bad-data"),
        pytest.param({"channel": "a", "b64info": "***"}, 107, id="bad-info"),
    ],
)
async def test_subscribe_refuses(call: Call, node: FakeNode, fields: dict[str, Any], code: int) -> None:
    assert (await call("subscribe", **fields))["error"]["code"] == code
    assert node.commands == []


@pytest.mark.parametrize("failure", [ReplyError(ERROR_EXPIRED), ReplyError(ERROR_INTERNAL)])
async def test_a_subscribe_that_failed_for_a_connection_is_an_internal_error(
    call: Call, node: FakeNode, failure: Exception
) -> None:
    node.failure = failure
    assert (await call("subscribe", channel="a", expire_at=1))["error"]["code"] == 100


async def test_unsubscribe_uses_the_server_s_code(call: Call, node: FakeNode) -> None:
    assert await call("unsubscribe", **ANN, channel="a") == DONE
    assert node.commands == [("unsubscribe", {**ANN, "channel": "a", "code": 2000})]


async def test_unsubscribe_without_a_channel_does_nothing(call: Call, node: FakeNode) -> None:
    assert await call("unsubscribe", user="ann") == DONE
    assert node.commands == []


async def test_unsubscribe_needs_no_stream_but_a_known_namespace(call: Call) -> None:
    assert await call("unsubscribe", channel="m:1") == DONE
    assert (await call("unsubscribe", channel="zz:a"))["error"]["code"] == 102


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, {"code": 3503, "reason": "force disconnect", "whitelist": []}, id="default"),
        pytest.param(
            {"disconnect": None},
            {"code": 3503, "reason": "force disconnect", "whitelist": []},
            id="null-is-the-default",
        ),
        pytest.param({"disconnect": {}}, {"code": 0, "reason": "", "whitelist": []}, id="passed-on-as-given"),
        pytest.param(
            {"disconnect": {"code": 4500, "reason": "bye"}, "whitelist": ["b", "a"]},
            {"code": 4500, "reason": "bye", "whitelist": ["a", "b"]},
            id="custom",
        ),
    ],
)
async def test_disconnect(call: Call, node: FakeNode, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert await call("disconnect", **fields) == DONE
    assert node.commands == [("disconnect", {**ANYBODY, **expected})]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, {"expired": False, "expire_at": 0, "info": b""}, id="nothing"),
        pytest.param({"expired": True}, {"expired": True, "expire_at": 0, "info": b""}, id="expired"),
        pytest.param({"expire_at": -1}, {"expired": False, "expire_at": -1, "info": b""}, id="negative"),
        pytest.param(
            {"expire_at": 9, "info": {"a": None}}, {"expired": False, "expire_at": 9, "info": b'{"a": null}'}, id="info"
        ),
    ],
)
async def test_refresh(call: Call, node: FakeNode, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert await call("refresh", **fields) == DONE
    assert node.commands == [("refresh", {**ANYBODY, **expected})]


@pytest.mark.parametrize("method", ["disconnect", "refresh", "subscribe", "unsubscribe"])
async def test_a_failing_control_channel_is_an_internal_error(call: Call, node: FakeNode, method: str) -> None:
    node.failure = EngineUnavailable("gone")
    assert (await call(method, channel="a"))["error"]["code"] == 100
