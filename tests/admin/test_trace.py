"""Traces: their events, and that they leave nothing behind (10 check 29)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import TYPE_CHECKING

import pytest

from fanjet.admin.tracing.connection_trace import MAX_TRACED
from tests.admin.conftest import CONFIG, Admin
from tests.support.tokens import token

if TYPE_CHECKING:
    from tests.admin.conftest import Clients
    from tests.conftest import StartServer


@pytest.fixture
def name() -> str:
    """A channel and user used only by this test."""
    return f"n{uuid.uuid4().hex[:12]}"


async def publish(admin: Admin, channel: str, **more: object) -> None:
    await admin.command(json.dumps({"method": "publish", "params": {"channel": channel, **more}}))


async def test_a_channel_trace_has_its_publications(admin: Admin, name: str) -> None:
    async with admin.trace("channel", name) as trace:
        await publish(admin, name, data={"n": 1}, tags={"kind": "news"})
        await publish(admin, name, b64data="/w==")
        first, second = await trace.event("pub"), await trace.event("pub")
    assert (first["channel"], first["pub"]["data"], first["pub"]["tags"]) == (name, {"n": 1}, {"kind": "news"})
    assert (second["pub"]["data"], second["pub"]["offset"]) == ({"base64": "/w=="}, 2)


async def test_no_subscriber_remains_after_a_trace(admin: Admin, name: str) -> None:
    async with admin.trace("channel", name):
        assert (await admin.get_json("console/channel", channel=name))["nodes"][0]["subscribers"] == 1
    async with asyncio.timeout(10):
        while (await admin.get_json("console/channel", channel=name))["nodes"]:
            pass


async def test_a_client_trace_has_commands_replies_and_pushes(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name, name, recoverable=True) as client, admin.trace("client", client.id) as trace:
        await publish(admin, name, data={"n": 1})
        pushed = await trace.event("push")
        await client.call(presence_stats={"channel": name})
        command, reply = await trace.event("command"), await trace.event("reply")
    assert pushed["push"]["pub"]["data"] == {"n": 1}
    assert command["command"] == {"id": 3, "presence_stats": {"channel": name}}
    assert (reply["reply"]["presence_stats"], reply["ms"] >= 0) == ({"num_clients": 1, "num_users": 1}, True)


async def test_tokens_are_hidden(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name) as client, admin.trace("client", client.id) as trace:
        await client.call(refresh={"token": token(name)})
        assert (await trace.event("command"))["command"]["refresh"] == {"token": "<hidden>"}


async def test_a_user_trace_includes_later_connections(admin: Admin, clients: Clients, name: str) -> None:
    async with admin.trace("user", name) as trace:
        async with clients.open(name, name) as client:
            assert (await trace.event("watching"))["client"] == client.id
            await publish(admin, name, data=1)
            assert (await trace.event("push"))["client"] == client.id
        assert (await trace.event("closed"))["client"] == client.id


async def test_deliveries_are_unchanged_during_and_after_a_trace(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name, name, recoverable=True) as client:
        for number in (1, 2):
            async with admin.trace("client", client.id), admin.trace("user", name):
                await publish(admin, name, data=number)
                assert (await client.receive())["push"]["pub"]["offset"] == number * 2 - 1
            await publish(admin, name, data=number)
            assert (await client.receive())["push"]["pub"]["offset"] == number * 2


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"type":"channel"}', b'{"type":"planet","entity":"a"}', b'{"type":"client","entity":""}',
     b'{"type":"channel","entity":"nowhere:a"}'],
)  # fmt: skip
async def test_invalid_trace_requests_are_refused(admin: Admin, body: bytes) -> None:
    async with admin.session.post(f"{admin.url}/admin/trace", data=body, headers=admin.headers) as answer:
        assert (answer.status, bool((await answer.json())["error"])) == (400, True)


async def test_a_trace_needs_a_login(anonymous: Admin) -> None:
    async with anonymous.session.post(f"{anonymous.url}/admin/trace", data=b"{}") as answer:
        assert answer.status == 401


async def test_a_trace_does_not_keep_the_server_from_stopping(private_server: StartServer, admin: Admin) -> None:
    server = private_server(CONFIG)
    other = Admin(admin.session, server.url)
    await other.log_in()
    async with other.trace("channel", "a"):
        assert await asyncio.to_thread(server.stop) == 0


async def test_a_trace_follows_a_limited_number_of_connections(admin: Admin, clients: Clients, name: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MAX_TRACED + 1):
            await stack.enter_async_context(clients.open(name))
        async with admin.trace("user", name) as trace:
            limited = await trace.event("limited")
    assert limited["limited"] == {"connections": MAX_TRACED + 1, "watched": MAX_TRACED}
