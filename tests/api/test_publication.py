"""`publish` and `broadcast` (05 §6.1, §6.2, §7; checks 1, 6, 7, 9-15, 34)."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.api.calls import Calls
from fanjet.api.methods import METHODS
from fanjet.api.requests import PublishRequest
from fanjet.engines.interfaces import EngineUnavailable

if TYPE_CHECKING:
    from tests.api.conftest import Call
    from tests.api.fake_node import FakeNode

BAD_REQUEST = {"error": {"code": 107, "message": "bad request"}}
UNKNOWN_CHANNEL = {"error": {"code": 102, "message": "unknown channel"}}
INTERNAL = {"error": {"code": 100, "message": "internal server error"}}
DONE: dict[str, Any] = {"result": {}}


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        pytest.param({"channel": "a", "data": {"x": 1}}, DONE, id="published"),
        pytest.param({"channel": "a", "data": None}, DONE, id="null-is-a-payload"),
        pytest.param({"channel": "a"}, BAD_REQUEST, id="no-data"),
        pytest.param({"channel": "a", "b64data": "\n"}, BAD_REQUEST, id="empty-data"),
        pytest.param({"data": 1}, BAD_REQUEST, id="no-channel"),
        pytest.param({"channel": "", "data": 1}, BAD_REQUEST, id="empty-channel"),
        pytest.param({"channel": "a", "data": 1, "b64data": "***"}, BAD_REQUEST, id="bad-base64"),
        pytest.param({"channel": "zz:a", "b64data": "***"}, BAD_REQUEST, id="base64-before-namespace"),
        pytest.param({"channel": "zz:a", "data": 1}, UNKNOWN_CHANNEL, id="unknown-namespace"),
        pytest.param({"channel": "m:1", "data": 1}, BAD_REQUEST, id="map-channel"),
        pytest.param({"channel": "poll:1", "data": 1}, BAD_REQUEST, id="shared-poll-channel"),
        pytest.param({"channel": "json:a", "data": 1}, DONE, id="any-json"),
        pytest.param({"channel": "json:a", "b64data": "aGk="}, BAD_REQUEST, id="not-json"),
        pytest.param({"channel": "object:a", "data": {}}, DONE, id="an-object"),
        pytest.param({"channel": "object:a", "data": [1]}, BAD_REQUEST, id="not-an-object"),
        pytest.param({"channel": "binary:a"}, None, id="binary-may-be-empty"),
    ],
)
async def test_publish_answers(call: Call, fields: dict[str, Any], answer: dict[str, Any] | None) -> None:
    got = await call("publish", **fields)
    if answer is None:
        assert got["result"]["offset"] == 1
    else:
        assert got == answer


async def test_a_publish_to_a_channel_with_history_answers_its_position(call: Call) -> None:
    first = await call("publish", channel="ns:a", data=1)
    second = await call("publish", channel="ns:a", data=1)
    assert first["result"]["offset"] == 1
    assert second == {"result": {"offset": 2, "epoch": first["result"]["epoch"]}}
    assert first["result"]["epoch"]


async def test_skip_history_publishes_as_if_there_were_none(call: Call, node: FakeNode) -> None:
    assert await call("publish", channel="ns:s", data=1, skip_history=True) == DONE
    assert (await call("history", channel="ns:s", limit=-1))["result"]["publications"] == []
    assert [publication.data for _, publication, _ in node.published] == [b"1"]


async def test_payload_and_options_reach_the_engine_as_given(node: FakeNode) -> None:
    request = PublishRequest(
        channel="a", b64data=b64encode(b"\xff\n").decode(), tags={"t": "1"}, version=7, version_epoch="e", delta=True
    )
    await Calls(node).execute(METHODS["publish"], request)
    ((channel, publication, use_delta),) = node.published
    assert (channel, publication.data, publication.tags, publication.version) == ("a", b"\xff\n", {"t": "1"}, 7)
    assert publication.info is None
    assert use_delta


@pytest.mark.parametrize(
    ("channel", "delta", "expected"),
    [
        pytest.param("a", False, False, id="neither"),
        pytest.param("a", True, True, id="asked-for"),
        pytest.param("delta:a", False, True, id="by-namespace"),
    ],
)
async def test_delta_is_asked_for_by_request_or_namespace(
    call: Call, node: FakeNode, channel: str, *, delta: bool, expected: bool
) -> None:
    await call("publish", channel=channel, data=1, delta=delta)
    assert node.published[0][2] is expected


async def test_a_repeated_idempotency_key_publishes_nothing(call: Call, node: FakeNode) -> None:
    first = await call("publish", channel="ns:i", data=1, idempotency_key="k1")
    assert await call("publish", channel="ns:i", data=2, idempotency_key="k1") == first
    await call("publish", channel="ns:j", data=3, idempotency_key="k1")
    assert [(channel, publication.data) for channel, publication, _ in node.published] == [
        ("ns:i", b"1"),
        ("ns:j", b"3"),
    ]


async def test_an_old_version_answers_the_position_of_the_newest(call: Call) -> None:
    offsets = []
    for version, epoch in [(5, ""), (4, ""), (5, ""), (6, ""), (1, "b")]:
        answer = await call("publish", channel="ns:v", data=1, version=version, version_epoch=epoch)
        offsets.append(answer["result"]["offset"])
    assert offsets == [1, 1, 1, 2, 3]


@pytest.mark.parametrize("failure", [EngineUnavailable("gone"), RuntimeError("a defect")])
async def test_a_failing_engine_is_an_internal_error(call: Call, node: FakeNode, failure: Exception) -> None:
    node.failure = failure
    assert await call("publish", channel="a", data=1) == INTERNAL


async def test_broadcast_answers_for_each_channel_in_order(call: Call, node: FakeNode) -> None:
    answer = await call("broadcast", channels=["a", "zz:b", "", "m:1", "ns:a", "a"], data=1)
    responses = answer["result"]["responses"]
    epoch = responses[4]["result"]["epoch"]
    assert responses == [
        DONE, UNKNOWN_CHANNEL, BAD_REQUEST, BAD_REQUEST, {"result": {"offset": 1, "epoch": epoch}}, DONE,
    ]  # fmt: skip
    assert [channel for channel, _, _ in node.published] == ["a", "ns:a", "a"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"data": 1}, id="no-channels"),
        pytest.param({"channels": [], "data": 1}, id="empty-list"),
        pytest.param({"channels": ["a"], "b64data": "***"}, id="bad-base64"),
    ],
)
async def test_broadcast_refuses_the_whole_call(call: Call, fields: dict[str, Any]) -> None:
    assert await call("broadcast", **fields) == BAD_REQUEST


async def test_a_broadcast_without_data_fails_for_each_channel_that_needs_some(call: Call) -> None:
    answer = await call("broadcast", channels=["a", "binary:a"])
    first, second = answer["result"]["responses"]
    assert first == BAD_REQUEST
    assert second["result"]["offset"] == 1


async def test_a_broadcast_succeeds_though_every_channel_failed(call: Call, node: FakeNode) -> None:
    node.failure = EngineUnavailable("gone")
    answer = await call("broadcast", channels=["a", "b"], data=1)
    assert answer == {"result": {"responses": [INTERNAL, INTERNAL]}}


def test_a_publish_in_memory_needs_no_task(node: FakeNode) -> None:
    coroutine = Calls(node).execute(METHODS["publish"], PublishRequest(channel="ns:a", data=b"1"))  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        coroutine.send(None)
