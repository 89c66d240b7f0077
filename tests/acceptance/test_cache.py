"""Cache recovery mode: the latest publication, and nothing else (01 §8.3, 03 §10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]


async def published(server: Server, channel: str, *values: int) -> dict[str, Any]:
    """Publish, and return the position."""
    for value in values:
        position = await server.api("publish", {"channel": channel, "data": value})
    return position


def values(result: dict[str, Any]) -> list[int]:
    return [int(publication["data"]) for publication in result.get("publications", [])]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
@pytest.mark.parametrize(
    ("namespace", "request_"),
    [
        pytest.param("cache", {"recover": True}, id="01-38-03-39-asked-for"),
        pytest.param("cache", {"recover": True, "epoch": "other", "offset": 2}, id="01-38-another-epoch"),
        pytest.param("latest", {}, id="01-38-03-39-automatically"),
    ],
)
async def test_the_latest_publication_comes_alone(
    server: Server, name: str, namespace: str, request_: dict[str, Any], is_protobuf: bool
) -> None:
    channel = f"{namespace}:{name}"
    await published(server, channel, 7, 8)
    async with connected(server, is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, **request_)
        assert result["recovered"]
        assert result["was_recovering"]
        assert result.get("offset", 0) == request_.get("offset", 0)
        assert values(result) == [8]
        await published(server, channel, 9)
        assert (await client.publication())["offset"] == 3


@pytest.mark.parametrize(
    ("namespace", "request_"),
    [pytest.param("cache", {"recover": True}, id="asked-for"), pytest.param("latest", {}, id="automatically")],
)
async def test_an_empty_channel_recovers_nothing(
    server: Server, name: str, namespace: str, request_: dict[str, Any]
) -> None:  # 01-38, 03-39
    async with connected(server) as client:
        result = await client.subscribe(f"{namespace}:{name}", **request_)
        assert result.keys() == {"recoverable", "positioned", "epoch", "was_recovering"}


async def test_who_is_at_the_top_gets_nothing_twice(server: Server, name: str) -> None:  # 01-38
    channel = f"cache:{name}"
    position = await published(server, channel, 1, 2)
    async with connected(server) as client:
        result = await client.subscribe(channel, recover=True, **position)
        assert (result["recovered"], result["offset"]) == (True, 2)
        assert "publications" not in result
        await server.api("history_remove", {"channel": channel})
        await client.call(unsubscribe={"channel": channel})
        assert (await client.subscribe(channel, recover=True, **position))["recovered"]
        await client.call(unsubscribe={"channel": channel})
        assert "recovered" not in await client.subscribe(channel, recover=True)


async def test_without_the_wish_the_cache_stays_closed(server: Server, name: str) -> None:  # 01 8.5
    channel = f"cache:{name}"
    await published(server, channel, 1)
    async with connected(server) as client:
        assert "publications" not in await client.subscribe(channel)


async def test_server_side_subscriptions_recover_automatically(server: Server, name: str) -> None:  # 03-39
    channel = f"latest:{name}"
    await published(server, channel, 5)
    async with opened(server) as client:
        result = await client.connect(token=token(name, channels=[channel]))
        assert values(result["subs"][channel]) == [5]
        assert result["subs"][channel]["recovered"]
