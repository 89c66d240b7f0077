"""`history` and `history_remove` (05 §6.9, §6.10; checks 16, 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fanjet.engines.interfaces import EngineUnavailable, HistoryNotAvailable, PublishOptions
from fanjet.protocol.publication import ClientInfo

if TYPE_CHECKING:
    from tests.api.conftest import Call
    from tests.api.fake_node import FakeNode


@pytest.fixture
async def epoch(call: Call) -> str:
    """Three publications in `ns:a`, their stream's epoch."""
    for number in (1, 2, 3):
        answer = await call("publish", channel="ns:a", data=number)
    return str(answer["result"]["epoch"])


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        pytest.param({}, [], id="only-the-position"),
        pytest.param({"limit": 1}, [1], id="first"),
        pytest.param({"limit": -1}, [1, 2, 3], id="all"),
        pytest.param({"limit": 1, "reverse": True}, [3], id="last"),
        pytest.param({"limit": -1, "since": {"offset": 1}}, [2, 3], id="since"),
        pytest.param({"limit": -1, "since": {"offset": 3}, "reverse": True}, [2, 1], id="before"),
        pytest.param({"limit": -1, "since": {"offset": 9}}, [], id="beyond-the-top"),
    ],
)
async def test_history_reads_the_stream(call: Call, epoch: str, fields: dict[str, Any], data: list[int]) -> None:
    result = (await call("history", channel="ns:a", **fields))["result"]
    assert (result["epoch"], result["offset"]) == (epoch, 3)
    assert [publication["data"] for publication in result["publications"]] == data


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({}, 107, id="no-channel"),
        pytest.param({"channel": "zz:a"}, 102, id="unknown-namespace"),
        pytest.param({"channel": "a"}, 108, id="no-history"),
        pytest.param({"channel": "ns:a", "since": {"offset": 1, "epoch": "other"}}, 112, id="another-epoch"),
        pytest.param({"channel": "ns:a", "since": {"offset": 0}, "reverse": True}, 100, id="back-from-zero"),
    ],
)
async def test_history_refuses(call: Call, fields: dict[str, Any], code: int) -> None:
    assert (await call("history", **fields))["error"]["code"] == code


async def test_publications_show_what_they_carry(call: Call, node: FakeNode) -> None:
    options = PublishOptions(
        history_size=10, history_ttl=60, tags={"t": "1"}, info=ClientInfo("u", "c", conn_info=b"1", chan_info=b"")
    )
    await node.broker.publish("ns:a", b'{"a": 1}', options)
    (publication,) = (await call("history", channel="ns:a", limit=1))["result"]["publications"]
    assert publication == {
        "data": {"a": 1}, "offset": 1, "tags": {"t": "1"}, "info": {"user": "u", "client": "c", "conn_info": 1},
    }  # fmt: skip


async def test_a_channel_never_published_to_has_an_epoch(call: Call) -> None:
    result = (await call("history", channel="ns:new", limit=-1))["result"]
    assert result["epoch"]
    assert (result["offset"], result["publications"]) == (0, [])


async def test_history_remove_keeps_the_position(call: Call, epoch: str) -> None:
    assert await call("history_remove", channel="ns:a") == {"result": {}}
    result = (await call("history", channel="ns:a", limit=-1))["result"]
    assert result == {"publications": [], "epoch": epoch, "offset": 3}


@pytest.mark.parametrize(("channel", "code"), [("", 107), ("zz:a", 102), ("a", 108)])
async def test_history_remove_refuses(call: Call, channel: str, code: int) -> None:
    assert (await call("history_remove", channel=channel))["error"]["code"] == code


@pytest.mark.parametrize("failure", [EngineUnavailable("gone"), HistoryNotAvailable()])
@pytest.mark.parametrize("method", ["history", "history_remove"])
async def test_an_engine_that_cannot_is_an_internal_error(
    call: Call, node: FakeNode, method: str, failure: Exception
) -> None:
    node.failure = failure
    assert (await call(method, channel="ns:a"))["error"]["code"] == 100
