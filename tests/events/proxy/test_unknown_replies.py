"""Replies that allow only because none of their keys is known are reported (06 §4.1)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.admin.conftest import Admin
from tests.events.proxy.configs import proxied
from tests.support.metrics import scrape
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.conftest import StartServer
    from tests.support.backend import Backend
    from tests.support.server import Server
    from tests.support.wire_client import WireClient

PASSWORD = "the password of the operators"
SETTINGS = {
    "admin": {"enabled": True, "password": PASSWORD, "secret": "the secret"},
    "prometheus": {"enabled": True},
    "node": {"info_metrics_aggregate_interval": "3s"},
}
REPLY = {"err": {"code": 1000, "message": "a secret"}, "Denied": True}
UNKNOWN = "proxy_unknown_replies"
SUBJECT = "rpc proxy default"


@pytest.fixture
def watched(private_server: StartServer, base: str, backend: Backend) -> Server:
    """A server of this test alone, with a console and metrics."""
    return private_server(proxied(base, SETTINGS))


@pytest.fixture
async def client(watched: Server, backend: Backend) -> AsyncIterator[WireClient]:
    backend.on("connect", {"result": {"user": "42"}})
    async with connected(watched) as client:
        yield client


def warnings(server: Server) -> Iterator[dict[str, Any]]:
    for line in server.log.splitlines():
        fields = json.loads(line)
        if fields["level"] == "warn" and "known key" in fields["message"]:
            yield fields


async def test_it_allows_and_is_logged_and_counted(watched: Server, backend: Backend, client: WireClient) -> None:
    backend.on("subscribe", REPLY)
    for number in range(20):
        await client.subscribe(f"asked:{number}")
    first, *more = warnings(watched)
    assert first["message"] == "reply of the subscribe proxy has no known key, so it allows"
    assert (first["keys"], first["client"], first["proxy_name"]) == (["err", "Denied"], client.client_id, "default")
    assert first["endpoint"] == f"{backend.base}/subscribe"
    assert len(more) < 5
    assert "a secret" not in watched.log
    page = await scrape(watched)
    assert page.value(UNKNOWN, type="subscribe", protocol="http") == 20
    assert page.value(UNKNOWN, type="publish") == 0


@pytest.mark.parametrize("reply", [{}, {"result": None}, {"Result": {}}, {"error": None, "more": 1}])
async def test_nothing_is_reported_where_a_key_is_known(
    watched: Server, backend: Backend, client: WireClient, reply: dict[str, Any]
) -> None:
    backend.on("subscribe", reply)
    await client.subscribe("asked:known")
    assert not list(warnings(watched))
    assert (await scrape(watched)).value(UNKNOWN) == 0


async def test_long_keys_are_cut(watched: Server, backend: Backend, client: WireClient) -> None:
    backend.on("rpc", {f"{number}{'x' * 1000}": number for number in range(100)})
    await client.call(rpc={"method": "m", "data": {}})
    (warning,) = warnings(watched)
    assert (len(warning["keys"]), {len(key) for key in warning["keys"]}) == (10, {64})


async def test_the_trace_of_the_connection_names_it(watched: Server, backend: Backend, client: WireClient) -> None:
    backend.on("publish", REPLY)
    async with aiohttp.ClientSession() as session:
        admin = Admin(session, watched.url)
        assert await admin.log_in(PASSWORD) == 200
        async with admin.trace("client", client.client_id) as trace:
            await client.subscribe("pub:x")
            await client.call(publish={"channel": "pub:x", "data": {}})
            event = await trace.event("warning")
    assert event["warning"]["keys"] == ["err", "Denied"]
    assert event["warning"]["problem"] == "the reply of the publish proxy has no known key, so it allows"
    assert event["client"] == client.client_id


async def test_the_doctor_names_it(watched: Server, backend: Backend, client: WireClient) -> None:
    """It reads what the node has counted in the last interval, so the mistake has to go on."""
    backend.on("rpc", REPLY)
    command = [sys.executable, "-m", "fanjet", "doctor", "-c", str(watched.folder / "config.json"), "--json"]
    found: dict[str, Any] = {}
    async with asyncio.timeout(60):
        while SUBJECT not in found:
            await client.call(rpc={"method": "m", "data": {}})
            ran = await asyncio.to_thread(
                subprocess.run, command, env=watched.environment, capture_output=True, text=True, check=False
            )
            found = {line["subject"]: line for line in map(json.loads, ran.stdout.splitlines())}
    assert found[SUBJECT]["level"] == "warn"
    assert found[SUBJECT]["text"].endswith(" replies in 3 s had keys, but none that is known: each of them allowed")
