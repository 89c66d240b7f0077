"""`info`, `channels`, `rpc` (05 §6.11-6.13; checks 5, 23, 25)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Call
    from tests.api.fake_node import FakeNode


async def test_info_shows_the_counts_of_a_node_even_when_they_are_zero(call: Call) -> None:
    assert (await call("info"))["result"]["nodes"] == [
        {
            "uid": "uid-1",
            "name": "node-1",
            "version": "0.1.0 OSS",
            "num_clients": 0,
            "num_users": 0,
            "num_subs": 0,
            "num_channels": 0,
            "uptime": 7,
            "metrics": {"interval": 60.0, "items": {"a": 1.5}},
        }
    ]


async def test_whole_numbers_have_no_point(call: Call) -> None:
    [node] = (await call("info"))["result"]["nodes"]
    assert isinstance(node["metrics"]["interval"], int)


async def test_channels_answers_counts_by_name(call: Call, node: FakeNode) -> None:
    node.active = {"ns:a": 2, "b": 1}
    assert await call("channels", pattern="ns:") == {"result": {"channels": {"ns:a": {"num_clients": 2}}}}
    assert await call("channels", pattern="x") == {"result": {"channels": {}}}
    assert node.survey_timeout == [9, 9]


async def test_an_invalid_pattern_is_an_internal_error(call: Call) -> None:
    assert (await call("channels", pattern="["))["error"]["code"] == 100


@pytest.mark.parametrize(("method", "code"), [("x", 104), ("", 107)])
async def test_no_rpc_method_is_known(call: Call, method: str, code: int) -> None:
    assert (await call("rpc", method=method))["error"]["code"] == code
