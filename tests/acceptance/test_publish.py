"""Publishing by clients: permissions, data formats, what subscribers see (01 §6.4, 03 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import ANYONE
from tests.support.server import ApiError
from tests.support.tokens import token
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        pytest.param("closed:x", 103, id="03-22-not-permitted"),
        pytest.param("nope:x", 102, id="03-15-unknown"),
        pytest.param("num:a", 107, id="03-17-regex"),
    ],
)
async def test_publishing_is_refused(server: Server, channel: str, code: int) -> None:
    async with connected(server, token("u1")) as client:
        assert await client.error(publish={"channel": channel, "data": {}}) == code


async def test_the_api_may_publish_where_clients_may_not(server: Server) -> None:  # 03-15, 03-17
    assert await server.api("publish", {"channel": "num:a", "data": 1}) == {}
    with pytest.raises(ApiError, match="102"):
        await server.api("publish", {"channel": "nope:x", "data": 1})


async def test_subscribers_may_be_the_only_ones(shared_server: StartServer, name: str) -> None:  # 03-22
    options = {"allow_publish_for_subscriber": True, **ANYONE}
    server = shared_server({"channel": {"namespaces": [{"name": "sub", **options}]}})
    channel = f"sub:{name}"
    async with connected(server, token("u1", info={"n": 1})) as client, connected(server, token("")) as anonymous:
        assert await client.error(publish={"channel": channel, "data": {}}) == 103
        signed = token("u1", channel=channel, info={"s": 1})
        await client.subscribe(channel, token=signed)
        await client.call(publish={"channel": channel, "data": {"a": 1}})
        info = {"user": "u1", "client": client.client_id, "conn_info": {"n": 1}, "chan_info": {"s": 1}}
        assert await client.push() == {"channel": channel, "pub": {"data": {"a": 1}, "info": info}}
        await anonymous.subscribe(channel)
        assert await anonymous.error(publish={"channel": channel, "data": {}}) == 103


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_publication_carries_who_published_and_its_place(  # 03-22
    server: Server, name: str, is_protobuf: bool
) -> None:
    channel = f"all:{name}"
    data: Any = b"[1]" if is_protobuf else [1]
    async with connected(server, token("u1"), is_protobuf=is_protobuf) as client:
        assert await client.call(publish={"channel": channel, "data": data}) == {}
        await client.subscribe(channel)
        await client.call(publish={"channel": channel, "data": data})
        info = {"user": "u1", "client": client.client_id}
        assert (await client.push())["pub"] == {"data": data, "info": info, "offset": 2}


async def test_the_first_publication_of_a_stream_names_its_epoch(server: Server, name: str) -> None:  # 01 7.1
    channel = f"rec:{name}"
    async with connected(server) as client:
        epoch = (await client.subscribe(channel))["epoch"]
        for number in (1, 2):
            await server.api("publish", {"channel": channel, "data": number, "tags": {"t": "v"}})
        first, second = [await client.publication() for _ in range(2)]
        assert first == {"data": 1, "offset": 1, "tags": {"t": "v"}, "epoch": epoch}
        assert second == {"data": 2, "offset": 2, "tags": {"t": "v"}}


@pytest.mark.parametrize(
    ("namespace", "data", "code"),
    [
        pytest.param("all", b"\xff", 0, id="unset-takes-anything"),
        pytest.param("all", b"", 107, id="03-23-unset-and-empty"),
        pytest.param("json", b"[1]", 0, id="json"),
        pytest.param("json", b"NaN", 107, id="03-23-json-nan"),
        pytest.param("json", b"", 107, id="json-empty"),
        pytest.param("object", b'{"a":1}', 0, id="object"),
        pytest.param("object", b"[1]", 107, id="03-23-object-list"),
        pytest.param("binary", b"", 0, id="03-23-binary-empty"),
        pytest.param("binary", b"\x00\xff", 0, id="binary"),
        pytest.param("num", b"", 107, id="03-23-format-before-permission"),
    ],
)
async def test_data_formats(server: Server, namespace: str, data: bytes, code: int) -> None:
    channel = "num:1" if namespace == "num" else f"{namespace}:x"
    async with connected(server, is_protobuf=True) as client:
        if code:
            assert await client.error(publish={"channel": channel, "data": data}) == code
        else:
            assert await client.call(publish={"channel": channel, "data": data}) == {}
