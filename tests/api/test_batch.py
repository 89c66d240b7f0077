"""`batch` (05 §6.14; check 24)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.api.batch import encode_replies, run_batch
from fanjet.api.calls import Calls
from fanjet.api.encoding import PayloadNotJSON
from fanjet.api.requests import BatchRequest, Command
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.protocol.json_encoding.document_decoder import DocumentDecoder
from tests.api.fake_node import FakeNode
from tests.support.waiting import until

if TYPE_CHECKING:
    from fanjet.engines.interfaces import Published, PublishOptions

BAD_REQUEST = {"error": {"code": 107, "message": "bad request"}}
INTERNAL = {"error": {"code": 100, "message": "internal server error"}}
NOT_FOUND = {"error": {"code": 104, "message": "not found"}}
UNKNOWN_CHANNEL = {"error": {"code": 102, "message": "unknown channel"}}


async def batch(node: FakeNode, commands: Any, **rest: Any) -> Any:
    request = DocumentDecoder(BatchRequest).decode(json.dumps({"commands": commands, **rest}).encode())
    return json.loads(encode_replies(await run_batch(Calls(node), request)))


def publish(channel: str, data: Any = 1) -> dict[str, Any]:
    return {"publish": {"channel": channel, "data": data}}


@pytest.mark.parametrize("parallel", [False, True])
async def test_one_reply_per_command_in_order(node: FakeNode, *, parallel: bool) -> None:
    commands = [publish("a"), publish("zz:a"), None, {}, {"presence_stats": {"channel": "ns:a"}}]
    assert await batch(node, commands, parallel=parallel) == {
        "replies": [
            {"publish": {}},
            UNKNOWN_CHANNEL,
            BAD_REQUEST,
            NOT_FOUND,
            {"presence_stats": {"num_clients": 0, "num_users": 0}},
        ]
    }


@pytest.mark.parametrize(
    "command",
    [
        pytest.param({"batch": {"commands": []}}, id="nested"),
        pytest.param({"connections": {}}, id="not-built"),
        pytest.param({"nosuch": {}}, id="unknown"),
        pytest.param({"publish": None}, id="null"),
    ],
)
async def test_commands_that_are_none(node: FakeNode, command: dict[str, Any]) -> None:
    assert await batch(node, [command]) == {"replies": [NOT_FOUND]}


@pytest.mark.parametrize("request_fields", [{}, {"commands": None}, {"commands": []}])
async def test_no_commands_no_replies(node: FakeNode, request_fields: dict[str, Any]) -> None:
    request = DocumentDecoder(BatchRequest).decode(json.dumps(request_fields).encode())
    assert encode_replies(await run_batch(Calls(node), request)) == b"{}"


async def test_of_several_keys_only_the_first_runs(node: FakeNode) -> None:
    both = {"info": {}, **publish("a")}
    assert await batch(node, [both]) == {"replies": [{"publish": {}}]}
    assert len(node.published) == 1


async def test_commands_run_in_order(node: FakeNode) -> None:
    await batch(node, [publish("a", number) for number in range(50)])
    assert [publication.data for _, publication, _ in node.published] == [b"%d" % number for number in range(50)]


async def test_every_command_can_be_in_a_batch(node: FakeNode) -> None:
    names = Command.__struct_fields__
    replies = (await batch(node, [{name: {}} for name in names]))["replies"]
    assert len(replies) == len(names) == 20
    assert [reply for reply in replies if reply == NOT_FOUND] == []


async def test_a_payload_that_is_not_json_fails_the_whole_answer(node: FakeNode) -> None:
    commands = [
        {"publish": {"channel": "ns:b", "b64data": "aGk="}},
        {"history": {"channel": "ns:b", "limit": 1}},
    ]
    with pytest.raises(PayloadNotJSON):
        await batch(node, commands)


@dataclass
class LaterNode(FakeNode):
    """One whose engine answers later, in order: `answers` waits to be let go."""

    keeps_order: bool = True
    begun: list[str] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, channel: str, data: bytes, options: PublishOptions) -> Published:
        self.begun.append(channel)
        await self.answers.wait()
        return await super().publish(channel, data, options)

    async def until_begun(self, count: int) -> None:
        async def has_begun() -> bool:
            return len(self.begun) >= count

        await until(has_begun)

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        self.begun.append(f"stats of {channel}")
        return await super().presence_stats(channel)


async def test_publishes_do_not_wait_for_each_other_where_their_order_is_kept() -> None:
    node = LaterNode()
    commands = [publish("a"), publish("zz:a"), publish("b"), {"presence_stats": {"channel": "ns:a"}}, publish("c")]
    replies = asyncio.ensure_future(batch(node, commands))
    await node.until_begun(2)
    for _ in range(3):
        await asyncio.sleep(0)
    assert node.begun == ["a", "b"]
    node.answers.set()
    assert [list(each) for each in (await replies)["replies"]] == [
        ["publish"],
        ["error"],
        ["publish"],
        ["presence_stats"],
        ["publish"],
    ]
    assert node.begun == ["a", "b", "stats of ns:a", "c"]


@pytest.mark.parametrize(
    "several",
    [
        pytest.param({"commands": [publish("a"), publish("b")], "parallel": True}, id="parallel-batch"),
        pytest.param({"commands": [{"broadcast": {"channels": ["a", "b"], "data": 1}}]}, id="broadcast"),
    ],
)
async def test_publishes_side_by_side_need_no_tasks_where_their_order_is_kept(several: dict[str, Any]) -> None:
    node = LaterNode()
    running = asyncio.ensure_future(batch(node, **several))
    await node.until_begun(2)
    assert node.begun == ["a", "b"]
    assert asyncio.all_tasks() == {running, asyncio.current_task()}
    node.answers.set()
    assert "error" not in str(await running)


async def test_a_publish_that_fails_stops_none_of_those_under_way() -> None:
    node = LaterNode(failure=EngineUnavailable("gone"))
    node.answers.set()
    assert await batch(node, [publish("a"), publish("b")]) == {"replies": [INTERNAL] * 2}
    assert node.begun == ["a", "b"]
