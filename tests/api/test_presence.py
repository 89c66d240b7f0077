"""`presence` and `presence_stats` (05 §6.7, §6.8; check 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanjet.engines.interfaces import EngineUnavailable
from fanjet.protocol.publication import ClientInfo

if TYPE_CHECKING:
    from tests.api.conftest import Call
    from tests.api.fake_node import FakeNode


async def test_who_is_present(call: Call, node: FakeNode) -> None:
    await node.presence_manager.add("ns:a", "c1", ClientInfo("u", "c1", conn_info=b'{"n":1}', chan_info=b"null"))
    await node.presence_manager.add("ns:a", "c2", ClientInfo("", "c2"))
    await node.presence_manager.add("ns:a", "c3", ClientInfo("u", "c3"))
    assert (await call("presence", channel="ns:a"))["result"]["presence"] == {
        "c1": {"user": "u", "client": "c1", "conn_info": {"n": 1}, "chan_info": None},
        "c2": {"user": "", "client": "c2"},
        "c3": {"user": "u", "client": "c3"},
    }
    assert await call("presence_stats", channel="ns:a") == {"result": {"num_clients": 3, "num_users": 2}}


async def test_an_empty_channel_shows_its_fields(call: Call) -> None:
    assert await call("presence", channel="ns:a") == {"result": {"presence": {}}}
    assert await call("presence_stats", channel="ns:a") == {"result": {"num_clients": 0, "num_users": 0}}


@pytest.mark.parametrize("method", ["presence", "presence_stats"])
@pytest.mark.parametrize(("channel", "code"), [("", 107), ("zz:a", 102), ("a", 108)])
async def test_refuses(call: Call, method: str, channel: str, code: int) -> None:
    assert (await call(method, channel=channel))["error"]["code"] == code


@pytest.mark.parametrize("method", ["presence", "presence_stats"])
async def test_a_failing_manager_is_an_internal_error(call: Call, node: FakeNode, method: str) -> None:
    node.failure = EngineUnavailable("gone")
    assert (await call(method, channel="ns:a"))["error"]["code"] == 100
