"""How long connections live is the backend's to say (06 §6)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from tests.events.proxy.configs import proxied, proxy
from tests.support.backend import status, text
from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Answer, Backend
    from tests.support.server import Server


def in_seconds(seconds: int) -> int:
    return int(time.time()) + seconds


def expiring(**result: Any) -> Answer:
    """Let a user in for two seconds, counted from when the backend is asked: getting there may take longer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"result": {"user": "7", "expire_at": in_seconds(2), **result}})

    return answer


@pytest.fixture
def refreshing(shared_server: StartServer, base: str, backend: Backend) -> Server:
    """A server that asks the backend about refreshes, too."""
    options = proxy(f"{base}/refresh", include_connection_meta=True)
    return shared_server(proxied(base, {"client": {"proxy": {"refresh": {"enabled": True, **options}}}}))


async def test_the_client_is_told_of_no_expiry(refreshing: Server, backend: Backend) -> None:  # 06-8
    backend.on("connect", expiring(meta={"m": 1}))
    refused = {"error": {"code": 1, "message": "m"}, "disconnect": {"code": 4600, "reason": "r"}}  # count for nothing
    backend.on("refresh", {"result": {"expire_at": in_seconds(1000)}, **refused})
    async with opened(refreshing) as client:
        result = await client.connect()
        assert not {"expires", "ttl"} & result.keys()
        assert backend.asked("refresh") == []
        body = await backend.wait_for("refresh")
        assert await client.call(rpc={"method": "still there"}) == {}
    assert body == {
        "client": client.client_id,
        "transport": "websocket",
        "protocol": "json",
        "encoding": "json",
        "user": "7",
        "meta": {"m": 1},
    }


async def test_the_backend_is_asked_again_at_the_new_time(refreshing: Server, backend: Backend) -> None:  # 06-9
    seconds = iter([2, 1000])

    async def answer(_: Any) -> Any:
        return web.json_response({"result": {"expire_at": in_seconds(next(seconds))}})

    backend.on("refresh", answer)
    async with connected(refreshing, token("7", exp=in_seconds(4))) as client:
        await backend.wait_for("refresh", 2)
        assert await client.call(rpc={"method": "still there"}) == {}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="no-result"),
        pytest.param({"result": {}}, id="no-expiry"),
        pytest.param({"result": {"expire_at": 5}}, id="past"),
        pytest.param({"result": {"expire_at": 99999999999, "expired": True}}, id="expired"),
        pytest.param({"error": {"code": 1, "message": "m"}}, id="error"),
        pytest.param({"disconnect": {"code": 4600, "reason": "r"}}, id="disconnect"),
    ],
)
async def test_a_connection_that_is_not_prolonged_ends(  # 06-9
    refreshing: Server, backend: Backend, answer: dict[str, Any]
) -> None:
    backend.on("refresh", answer)
    backend.on("connect", expiring())
    async with opened(refreshing) as client:
        await client.connect()
        assert await client.closed() == (3005, "connection expired")


async def test_an_info_that_cannot_be_decoded_is_our_failure(refreshing: Server, backend: Backend) -> None:
    backend.on("refresh", {"result": {"expire_at": 99999999999, "b64info": "*"}})
    backend.on("connect", expiring())
    async with opened(refreshing) as client:
        await client.connect()
        assert await client.closed() == (3004, "internal server error")


@pytest.mark.parametrize("answer", [status(500), text("x")])
async def test_a_backend_that_fails_ends_nothing(refreshing: Server, backend: Backend, answer: Any) -> None:  # 06-9
    backend.on("refresh", answer)
    backend.on("connect", expiring())
    async with opened(refreshing) as client:
        await client.connect()
        await backend.wait_for("refresh")
        await asyncio.sleep(1)
        assert await client.call(rpc={"method": "still there"}) == {}
    assert len(backend.asked("refresh")) == 1  # a minute until the next


async def test_meta_and_info_are_replaced(refreshing: Server, backend: Backend, name: str) -> None:  # 06-10
    backend.on("connect", expiring(meta={"old": 1}, info={"i": 1}))
    backend.on("refresh", {"result": {"expire_at": in_seconds(1000), "meta": {"new": 1}, "info": {"i": 2}}})
    async with opened(refreshing) as client:
        await client.connect()
        await backend.wait_for("refresh")
        async with asyncio.timeout(5):
            while "new" not in (backend.asked("rpc") or [{"meta": {}}])[-1]["meta"]:
                await client.call(rpc={"method": "m"})
        await client.subscribe(f"any:{name}")
        await client.call(publish={"channel": f"any:{name}", "data": 1})
        assert (await client.publication())["info"]["conn_info"] == {"i": 2}


async def test_the_client_has_no_business_to_refresh(refreshing: Server) -> None:
    async with connected(refreshing, token("7")) as client:
        await client.send({"id": 9, "refresh": {"token": token("7")}})
        assert await client.closed() == (3501, "bad request")
