"""What clients may publish is the backend's to say (06 §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tokens import token
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.support.backend import Backend
    from tests.support.server import Server


async def test_the_backend_is_told_what_is_published(server: Server, backend: Backend, name: str) -> None:  # 06-18
    async with connected(server, token("7", info={"who": 1})) as client:
        await client.subscribe(f"pub:{name}")
        assert await client.call(publish={"channel": f"pub:{name}", "data": {"a": 1}}) == {}
        publication = await client.publication()
    assert publication["data"] == {"a": 1}
    assert publication["info"] == {"user": "7", "client": client.client_id, "conn_info": {"who": 1}}
    assert backend.asked("publish") == [
        {
            "client": client.client_id,
            "transport": "websocket",
            "protocol": "json",
            "encoding": "json",
            "user": "7",
            "channel": f"pub:{name}",
            "data": {"a": 1},
        }
    ]


async def test_the_backend_may_change_it(server: Server, backend: Backend, name: str) -> None:  # 06-18
    backend.on("publish", {"result": {"data": [2], "tags": {"a": "b"}, "skip_history": True}})
    async with connected(server, token("7")) as client:
        await client.subscribe(f"pub:{name}")
        await client.call(publish={"channel": f"pub:{name}", "data": {"a": 1}})
        publication = await client.publication()
    assert (publication["data"], publication["tags"]) == ([2], {"a": "b"})
    history = await server.api("history", {"channel": f"pub:{name}", "limit": -1})
    assert history["publications"] == []


@pytest.mark.parametrize(
    ("result", "data"),
    [({"data": 1, "b64data": "WzJd"}, 1), ({"b64data": "WzJd"}, [2]), ({"data": None}, None), ({}, {"a": 1})],
)
async def test_data_that_is_given_replaces_the_clients(
    server: Server, backend: Backend, name: str, result: dict[str, Any], data: Any
) -> None:
    backend.on("publish", {"result": result})
    async with connected(server, token("7")) as client:
        await client.call(publish={"channel": f"pub:{name}", "data": {"a": 1}})
    history = await server.api("history", {"channel": f"pub:{name}", "limit": -1})
    assert [one["data"] for one in history["publications"]] == [data]


@pytest.mark.parametrize("result", [{"idempotency_key": "k"}, {"version": 5, "version_epoch": "e"}])
async def test_the_same_is_published_once(server: Server, backend: Backend, name: str, result: dict[str, Any]) -> None:
    backend.on("publish", {"result": result})
    async with connected(server, token("7")) as client:
        for _ in range(2):
            assert await client.call(publish={"channel": f"pub:{name}", "data": {"a": 1}}) == {}
    history = await server.api("history", {"channel": f"pub:{name}", "limit": -1})
    assert len(history["publications"]) == 1


async def test_the_backend_may_refuse(server: Server, backend: Backend, name: str) -> None:  # 06-18
    backend.on("publish", {"error": {"code": 7, "message": "e"}})
    async with connected(server, token("7")) as client:
        reply = await client.call(publish={"channel": f"pub:{name}", "data": {"a": 1}})
    assert reply["error"] == {"code": 7, "message": "e"}
    history = await server.api("history", {"channel": f"pub:{name}", "limit": -1})
    assert history["publications"] == []


async def test_what_has_the_wrong_form_is_not_asked_about(server: Server, backend: Backend, name: str) -> None:  # 06-19
    async with connected(server, token("7")) as client:
        assert await client.error(publish={"channel": f"pub:{name}", "data": [1]}) == 107
        assert await client.error(publish={"channel": f"zz:{name}", "data": {}}) == 102
        assert await client.error(publish={"channel": "pub:ü", "data": {}}) == 107
    assert backend.requests == []


async def test_base64_that_is_none_is_an_error(server: Server, backend: Backend, name: str) -> None:
    backend.on("publish", {"result": {"b64data": "*"}})
    async with connected(server, token("7")) as client:
        assert await client.error(publish={"channel": f"pub:{name}", "data": {}}) == 100


async def test_the_server_api_asks_nobody(server: Server, backend: Backend, name: str) -> None:
    await server.api("publish", {"channel": f"pub:{name}", "data": {}})
    assert backend.requests == []
