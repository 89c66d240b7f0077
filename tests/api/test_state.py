"""Map and shared-poll methods answer as the contract has it up to where the feature would begin (check 28)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Call

KEYED = {"map_publish": {"key": "k", "data": 1}, "map_remove": {"key": "k"}}
READING: dict[str, dict[str, Any]] = {"map_read_state": {}, "map_read_stream": {}, "map_stats": {}, "map_clear": {}}


@pytest.mark.parametrize(("method", "fields"), (KEYED | READING).items())
@pytest.mark.parametrize(("channel", "code"), [("", 107), ("zz:a", 102), ("a", 107), ("poll:a", 107), ("m:1", 108)])
async def test_map_methods(call: Call, method: str, fields: dict[str, Any], channel: str, code: int) -> None:
    assert (await call(method, channel=channel, **fields))["error"]["code"] == code


@pytest.mark.parametrize("method", KEYED)
async def test_map_writes_need_a_key(call: Call, method: str) -> None:
    assert (await call(method, channel="zz:1"))["error"]["code"] == 107


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"channel": "poll:1", "key": "k", "version": 1}, 108, id="not-built"),
        pytest.param({"channel": "poll:1", "key": "k", "version": 0}, 107, id="version-zero"),
        pytest.param({"channel": "poll:1", "version": 1}, 107, id="no-key"),
        pytest.param({"key": "k", "version": 1}, 107, id="no-channel"),
        pytest.param({"channel": "zz:1", "key": "k", "version": 1}, 102, id="unknown-namespace"),
        pytest.param({"channel": "a", "key": "k", "version": 1}, 107, id="stream-channel"),
    ],
)
async def test_shared_poll_publish(call: Call, fields: dict[str, Any], code: int) -> None:
    assert (await call("shared_poll_publish", **fields))["error"]["code"] == code
