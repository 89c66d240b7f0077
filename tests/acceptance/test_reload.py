"""What SIGHUP changes, and what it leaves (04 §4)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

from tests.acceptance.configs import ANYONE
from tests.support.server import merge
from tests.support.tokens import token
from tests.support.waiting import until
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.server import Server

CONFIG: dict[str, Any] = {
    "client": {"allow_anonymous_connect_without_token": True},
    "channel": {"namespaces": [{"name": "early", **ANYONE}]},
}


async def reload(server: Server, text: str, *, message: str) -> None:
    """Replace the configuration, send the signal, and wait for the log to say what came of it."""
    said = server.log.count(message)
    (server.folder / "config.json").write_text(text)
    os.kill(server.pid, signal.SIGHUP)

    async def is_said() -> bool:
        return server.log.count(message) > said

    await until(is_said)


def changed(server: Server, change: dict[str, Any]) -> str:
    return json.dumps(merge(server.config, change))


async def test_a_namespace_may_come_while_the_server_runs(private_server: StartServer) -> None:  # 03-44
    server = private_server(CONFIG)
    async with connected(server) as client:
        await client.subscribe("early:x")
        assert await client.error(subscribe={"channel": "late:x"}) == 102
        late = {"channel": {"namespaces": [{"name": "late", **ANYONE}]}}
        await reload(server, changed(server, late), message="configuration successfully reloaded")
        await client.subscribe("late:x")
        assert await client.error(subscribe={"channel": "early:y"}) == 102
        assert await client.call(unsubscribe={"channel": "early:x"}) == {}


async def test_another_key_is_for_new_connections(private_server: StartServer) -> None:  # 03-44
    server = private_server(CONFIG)
    async with connected(server, token("u1")) as client:
        new_key = {"client": {"token": {"hmac_secret_key": "another"}}}
        await reload(server, changed(server, new_key), message="configuration successfully reloaded")
        async with opened(server) as refused:
            await refused.send({"id": 1, "connect": {"token": token("u1")}})
            assert await refused.closed() == (3500, "invalid token")
        async with connected(server, token("u1", secret="another")):
            pass
        await client.subscribe("early:x")


async def test_a_configuration_that_cannot_be_used_changes_nothing(private_server: StartServer) -> None:  # 04 4
    server = private_server(CONFIG)
    async with connected(server) as client:
        bad = {"channel": {"namespaces": [{"name": "late"}, {"name": "late"}]}}
        await reload(server, changed(server, bad), message="error validating config")
        await reload(server, "{", message="error reading config")
        (server.folder / "config.json").unlink()
        os.kill(server.pid, signal.SIGHUP)
        await client.subscribe("early:x")
        assert await client.error(subscribe={"channel": "late:x"}) == 102
    assert await asyncio.to_thread(server.stop) == 0
    assert server.log.count('"message":"error reading config"') == 2
    assert "successfully reloaded" not in server.log


async def test_admission_of_anonymous_connections_may_change(private_server: StartServer) -> None:  # 04 4
    server = private_server(CONFIG)
    closed = {"client": {"allow_anonymous_connect_without_token": False}}
    await reload(server, changed(server, closed), message="configuration successfully reloaded")
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {}})
        assert await client.closed() == (3501, "bad request")
