"""Tags filters: what passes, what is refused, and what they leave alone (01 §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]
A_IS_X = {"key": "a", "cmp": "eq", "val": "x"}


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = A_IS_X
    for _ in range(depth):
        node = {"op": "not", "nodes": [node]}
    return node


@pytest.mark.parametrize(
    "tf",
    [
        pytest.param({"op": "not", "nodes": []}, id="01-45-not-without-child"),
        pytest.param({"key": "a", "cmp": "eq"}, id="01-45-eq-without-val"),
        pytest.param({"key": "a", "cmp": "in", "val": "x"}, id="01-45-03-40-in-without-vals"),
        pytest.param({"op": "xor"}, id="01-45-unknown-op"),
        pytest.param({"op": "and", "nodes": [None]}, id="01-45-fix-16-null"),
        pytest.param({}, id="empty"),
        pytest.param({"cmp": "eq", "val": "x"}, id="no-key"),
        pytest.param(nested(65), id="fix-12-too-deep"),
    ],
)
async def test_an_invalid_filter_is_a_bad_request(server: Server, name: str, tf: dict[str, Any]) -> None:
    async with connected(server) as client:
        assert await client.error(subscribe={"channel": f"tags:{name}", "tf": tf}) == 107
        await client.subscribe(f"tags:{name}", tf=A_IS_X)  # the server lives on, and so does the connection


async def test_filters_need_permission(server: Server, name: str) -> None:  # 01-45, 03-40
    async with connected(server) as client:
        assert await client.error(subscribe={"channel": f"rec:{name}", "tf": A_IS_X}) == 107
        await client.subscribe(f"rec:{name}")


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
@pytest.mark.parametrize(
    ("tf", "passing", "stopped"),
    [
        pytest.param(
            {"key": "lvl", "cmp": "gte", "val": "10"},
            [{"lvl": "10"}, {"lvl": "10.0"}, {"lvl": "+11"}],
            [{"lvl": "9.99"}, {"lvl": "1e2"}, {"lvl": " 11"}, {"lvl": "abc"}, {"other": "11"}, {}],
            id="01-45-03-40-gte",
        ),
        pytest.param(
            {"key": "a", "cmp": "nin", "vals": ["x", "y"]},
            [{}, {"a": "z"}],
            [{"a": "x"}, {"a": "y"}],
            id="01-45-nin",
        ),
        pytest.param(A_IS_X, [{"a": "x"}, {"a": "x", "b": "y"}], [{"a": "X"}, {"b": "x"}, {}], id="03-40-eq"),
        pytest.param(
            {"op": "or", "nodes": [{"key": "a", "cmp": "ex"}, {"op": "not", "nodes": [A_IS_X | {"key": "b"}]}]},
            [{"a": ""}, {"b": "y"}, {}],
            [{"b": "x"}],
            id="nodes",
        ),
    ],
)
async def test_only_what_passes_is_delivered(
    server: Server,
    name: str,
    is_protobuf: bool,
    tf: dict[str, Any],
    passing: list[dict[str, str]],
    stopped: list[dict[str, str]],
) -> None:
    channel = f"tags:{name}"
    async with connected(server, is_protobuf=is_protobuf) as client:
        await client.subscribe(channel, tf=tf)
        for tags in stopped + passing:
            await server.api("publish", {"channel": channel, "data": {}, "tags": tags})
        delivered = [push["pub"] for push in await client.pushes_so_far()]
        assert [publication.get("tags", {}) for publication in delivered] == passing
        assert delivered[0]["offset"] == len(stopped) + 1


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_recovery_brings_what_passes_and_goes_on_without_a_gap(  # 01-46
    server: Server, name: str, is_protobuf: bool
) -> None:
    channel = f"tags:{name}"
    for value in "xyxyy":
        position = await server.api("publish", {"channel": channel, "data": {}, "tags": {"a": value}})
    async with connected(server, is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, tf=A_IS_X, recover=True, epoch=position["epoch"])
        assert result["recovered"]
        assert [publication["offset"] for publication in result["publications"]] == [1, 3]
        for value in "yyxy":
            await server.api("publish", {"channel": channel, "data": {}, "tags": {"a": value}})
        assert [push["pub"]["offset"] for push in await client.pushes_so_far()] == [8]


async def test_what_clients_publish_has_no_tags(server: Server, name: str) -> None:
    channel = f"tags:{name}"
    async with connected(server) as client, connected(server) as other:
        await client.subscribe(channel, tf={"key": "a", "cmp": "nex"})
        await other.subscribe(channel, tf=A_IS_X)
        await server.api("publish", {"channel": channel, "data": 1})
        assert (await client.publication())["offset"] == 1
        assert await other.pushes_so_far() == []


async def test_a_filter_excludes_delta(server: Server, name: str) -> None:  # fix 4
    channel = f"tags:{name}"
    async with connected(server) as client:
        assert "delta" not in await client.subscribe(channel, tf=A_IS_X, delta="fossil")
        for value in "yx":
            await server.api("publish", {"channel": channel, "data": [value], "tags": {"a": value}, "delta": True})
        assert [push["pub"]["data"] for push in await client.pushes_so_far()] == [["x"]]
