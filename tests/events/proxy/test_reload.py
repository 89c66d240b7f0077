"""A reload changes what is asked about, not who is asked (06 §1.3, 04 §4); and several backends side by side."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

from tests.events.proxy.configs import proxied, proxy
from tests.support.server import merge
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Backend
    from tests.support.server import Server


async def reload(server: Server, change: dict[str, Any]) -> None:
    (server.folder / "config.json").write_text(json.dumps(merge(server.config, change)))
    os.kill(server.pid, signal.SIGHUP)

    async def is_done() -> bool:
        return "configuration successfully reloaded" in server.log

    await until(is_done)


async def test_a_reload_builds_no_proxies(private_server: StartServer, base: str, backend: Backend) -> None:  # D25
    server = private_server(
        {
            "channel": {
                "proxy": {"subscribe": proxy(f"{base}/subscribe"), "publish": proxy(f"{base}/publish")},
                "namespaces": [{"name": "early", "subscribe_proxy_enabled": True}],
            },
            "rpc": {"proxy": proxy(f"{base}/rpc"), "namespaces": [{"name": "early", "proxy_enabled": True}]},
            "proxies": [{"name": "other", **proxy(f"{base}/other")}],
        }
    )
    namespaces = [
        {"name": "early"},
        {"name": "late", "subscribe_proxy_enabled": True},
        {"name": "other", "subscribe_proxy_enabled": True, "subscribe_proxy_name": "other"},
        {"name": "publishing", "publish_proxy_enabled": True},
        {"name": "streaming", "subscribe_stream_proxy_enabled": True, "subscribe_stream_proxy_name": "grpc"},
    ]
    methods = [
        {"name": "late", "proxy_enabled": True},
        {"name": "other", "proxy_enabled": True, "proxy_name": "other"},
    ]
    new_proxies = [{"name": "other", **proxy(f"{base}/other")}, {"name": "grpc", **proxy("127.0.0.1:1")}]
    async with connected(server, token("7")) as client:
        await client.subscribe("early:x")
        assert await client.error(subscribe={"channel": "late:x"}) == 102
        change = {"channel": {"namespaces": namespaces}, "rpc": {"namespaces": methods}, "proxies": new_proxies}
        await reload(server, change)
        assert await client.error(subscribe={"channel": "early:y"}) == 103
        await client.subscribe("late:x")
        assert await client.error(subscribe={"channel": "other:x"}) == 100
        assert await client.error(publish={"channel": "publishing:x", "data": 1}) == 108
        assert await client.error(subscribe={"channel": "streaming:x"}) == 108
        assert await client.call(rpc={"method": "late:m"}) == {}
        assert await client.error(rpc={"method": "early:m"}) == 104
        assert await client.error(rpc={"method": "other:m"}) == 100
    assert [request.event for request in backend.requests] == ["subscribe", "subscribe", "rpc"]


async def test_namespaces_may_have_backends_of_their_own(  # 06-22
    shared_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    namespaces = [
        {"name": "first", "subscribe_proxy_enabled": True, "subscribe_proxy_name": "one"},
        {"name": "second", "subscribe_proxy_enabled": True, "subscribe_proxy_name": "two"},
        {"name": "third", "publish_proxy_enabled": True, "publish_proxy_name": "two"},
    ]
    named = [{"name": one, **proxy(f"{base}/{one}")} for one in ("one", "two")]
    server = shared_server(proxied(base, {"channel": {"namespaces": namespaces}, "proxies": named}))
    async with connected(server, token("7")) as client:
        await client.subscribe(f"first:{name}")
        await client.subscribe(f"second:{name}")
        await client.call(publish={"channel": f"third:{name}", "data": 1})
    assert [request.event for request in backend.requests] == ["one", "two", "two"]


async def test_the_log_names_backends_without_their_passwords(private_server: StartServer) -> None:
    secret = proxy("http://user:secret@127.0.0.1:1/rpc")
    server = private_server({"rpc": {"proxy": secret, "without_namespace": {"proxy_enabled": True}}})
    (line,) = (line for line in server.log.splitlines() if "rpc proxy enabled" in line)
    assert "127.0.0.1:1/rpc" in line
    assert "secret" not in server.log
