"""Which headers a backend gets to see (06 §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.events.proxy.configs import proxied, proxy
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Backend
    from tests.support.server import Server

FORWARDING = {
    "http_headers": ["cookie", "X-Request-Id", "authorization", "Host", "Content-Length", "Connection", "Content-Type"],
    "emulated_headers": ["Authorization", "x-app"],
    "http": {"static_headers": {"authorization": "static", "X-Static": "s", "Content-Type": "text/plain"}},
}


@pytest.fixture
def forwarding(shared_server: StartServer, base: str, backend: Backend) -> Server:
    """A server that passes some headers on, with RPCs alone."""
    backend.on("connect", {"result": {"user": "7"}})
    return shared_server(proxied(base, {"rpc": {"proxy": proxy(f"{base}/rpc", **FORWARDING)}}))


async def seen(
    server: Server, backend: Backend, headers: dict[str, str], emulated: dict[str, str] | None = None
) -> dict[str, str]:
    """Headers of an RPC's request after a connect with these."""
    async with opened(server, headers=headers) as client:
        await client.connect(headers=emulated or {})
        await client.call(rpc={"method": "m"})
    return backend.requests[-1].headers


async def test_nothing_is_passed_on_unless_it_is_listed(server: Server, backend: Backend) -> None:  # 06-11
    backend.on("connect", {"result": {"user": "7"}})
    headers = await seen(server, backend, {"Cookie": "a=b", "X-Request-Id": "1"}, {"authorization": "e"})
    assert not {"cookie", "x-request-id", "authorization", "origin", "sec-websocket-key"} & headers.keys()


async def test_listed_headers_are_passed_on_with_every_event(forwarding: Server, backend: Backend) -> None:  # 06-11
    headers = await seen(forwarding, backend, {"Cookie": "a=b", "X-Request-Id": "1", "X-Other": "2"})
    assert (headers["cookie"], headers["x-request-id"]) == ("a=b", "1")
    assert "x-other" not in headers
    assert headers["host"] == backend.base.removeprefix("http://")
    assert headers["content-type"] == "application/json"
    assert "cookie" not in backend.requests[0].headers  # of the connect, whose proxy lists none


@pytest.mark.parametrize(
    ("real", "emulated", "expected"),
    [
        pytest.param({}, {}, "static", id="fixed"),
        pytest.param({}, {"AUTHORIZATION": "Bearer e"}, "Bearer e", id="emulated"),
        pytest.param({"Authorization": "Bearer t"}, {}, "Bearer t", id="real"),
        pytest.param({"Authorization": "Bearer t"}, {"authorization": "Bearer e"}, "Bearer t", id="both"),
    ],
)
async def test_the_connections_own_header_goes_before_what_the_client_says(  # 06-12
    forwarding: Server, backend: Backend, real: dict[str, str], emulated: dict[str, str], expected: str
) -> None:
    headers = await seen(forwarding, backend, real, emulated)
    assert headers["authorization"] == expected
    assert headers["x-static"] == "s"


async def test_what_only_a_real_header_may_say_is_not_emulated(forwarding: Server, backend: Backend) -> None:  # 06-12
    headers = await seen(forwarding, backend, {}, {"cookie": "forged", "x-app": "web", "x-other": "no"})
    assert "cookie" not in headers
    assert headers["x-app"] == "web"

    async def hint_is_logged() -> bool:
        return "emulated headers dropped" in forwarding.log

    await until(hint_is_logged)


async def test_emulated_headers_are_kept_beside_a_token(forwarding: Server, backend: Backend) -> None:
    async with opened(forwarding) as client:
        await client.connect(token=token("7"), headers={"X-App": "web"})
        await client.call(rpc={"method": "m"})
    assert backend.requests[-1].headers["x-app"] == "web"


@pytest.mark.parametrize("value", ["a\r\nX-B: 1", "a\0b", "a\x01b", "a\x7fb"])
async def test_a_value_that_cannot_be_sent_fails_the_call(forwarding: Server, backend: Backend, value: str) -> None:
    async with opened(forwarding) as client:
        await client.connect(token=token("7"), headers={"X-App": value})
        assert (await client.call(rpc={"method": "m"}))["error"]["code"] == 100
    assert backend.requests == []


async def test_bytes_that_are_no_text_are_passed_on_as_they_are(
    forwarding: Server, backend: Backend
) -> None:  # the client writes Latin-1
    async with opened(forwarding, headers={"Cookie": "café"}) as client:
        await client.connect(token=token("7"))
        await client.call(rpc={"method": "m"})
    assert backend.requests[-1].headers["cookie"].encode("utf-8", "surrogateescape") == b"caf\xe9"


async def test_all_values_of_a_header_are_passed_on(forwarding: Server, backend: Backend) -> None:
    twice: Any = [("X-Request-Id", "1"), ("X-Request-Id", "2")]
    async with connected(forwarding, token("7"), headers=twice) as client:
        seen_raw: list[str] = []

        async def note(request: Any) -> Any:
            from aiohttp import web  # noqa: PLC0415

            seen_raw.extend(request.headers.getall("X-Request-Id"))
            return web.json_response({})

        backend.on("rpc", note)
        await client.call(rpc={"method": "m"})
    assert seen_raw == ["1", "2"]


async def test_fixed_values_may_come_from_the_environment(
    private_server: StartServer, base: str, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CENTRIFUGO_VAR_SECRET", "from outside")
    static = proxy(f"{base}/rpc", http={"static_headers": {"X-Secret": "<${CENTRIFUGO_VAR_SECRET}>"}})
    server = private_server(proxied(base, {"rpc": {"proxy": static}}))
    async with connected(server, token("7")) as client:
        await client.call(rpc={"method": "m"})
    assert backend.requests[-1].headers["x-secret"] == "<from outside>"
