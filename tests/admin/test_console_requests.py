"""The JSON endpoints of the console."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.admin.conftest import Admin, Clients
    from tests.support.server import Server

QUESTIONS = ("console/overview", "console/channels", "console/connections", "console/features", "api/config")


@pytest.fixture
def name() -> str:
    """A channel or user used only by this test."""
    return f"n{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize("path", QUESTIONS)
async def test_requests_need_a_login(anonymous: Admin, path: str) -> None:
    async with anonymous.session.get(f"{anonymous.url}/admin/{path}") as answer:
        assert (answer.status, await answer.read()) == (401, b"")
    async with anonymous.session.get(f"{anonymous.url}/admin/{path}", headers={"X-API-Key": "the admin key"}) as answer:
        assert answer.status == 200
    async with anonymous.session.post(f"{anonymous.url}/admin/{path}") as answer:
        assert answer.status == 405


async def test_tokens_are_issued_in_insecure_mode_only(admin: Admin) -> None:
    assert await admin.get_json("console/features") == {"tokens": False}
    async with admin.session.post(f"{admin.url}/admin/console/token", headers=admin.headers) as answer:
        assert answer.status == 404


async def test_the_overview_takes_samples_while_it_is_read(admin: Admin) -> None:
    first = await admin.get_json("console/overview")
    assert [node["uid"] for node in first["nodes"]] == [first["node"]]
    assert first["vitals"][first["node"]]["memory"] > 1_000_000
    samples: list[Any] = []
    while not samples:
        samples = (await admin.get_json("console/overview"))["samples"]
    moment, clients, subscriptions, channels, lag, cpu, memory, *rates = samples[-1]
    assert memory > 1_000_000
    assert min(clients, subscriptions, channels, lag, cpu, *rates) >= 0
    later = (await admin.get_json("console/overview", since=int(moment * 1000) + 1))["samples"]
    assert all(sample[0] > moment for sample in later)


async def test_channels_are_filtered_and_paged(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name, *(f"{name}-{number}" for number in range(5))), clients.open("x", f"{name}-3"):
        found = await admin.get_json("console/channels", q=name, limit=2)
        assert found["total"] == 5
        assert found["channels"][0] == {"channel": f"{name}-3", "subscribers": 2}
        by_name = await admin.get_json("console/channels", q=f"{name}-*", sort="name", limit=2, offset=2)
        assert [one["channel"] for one in by_name["channels"]] == [f"{name}-2", f"{name}-3"]
    assert (await admin.get_error("console/channels", q="["))[0] == 400
    assert await admin.get_error("console/channels", limit="x") == (400, "limit is not a number")


async def test_channel_details(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open("u", name, recoverable=True):
        found = await admin.get_json("console/channel", channel=name)
    (here,) = found["nodes"]
    assert (here["subscribers"], found["silent"]) == (1, [])
    assert here["groups"] == [
        {"wire": "websocket-json", "members": 1, "positioned": True, "delta": False, "filtered": False}
    ]
    assert (found["history"], found["presence"]) == (True, True)
    assert await admin.get_error("console/channel", channel="nowhere:x") == (
        404,
        "the channel's namespace does not exist",
    )
    assert await admin.get_error("console/channel") == (400, "channel is missing")


@pytest.fixture
def filters_for(name: str) -> dict[str, dict[str, str]]:
    """Filters that match only the client of a test."""
    return {"user": {"user": name}, "part": {"q": name[:-1].upper()}, "channel": {"channel": name}}


@pytest.mark.parametrize("by", ["user", "part", "channel"])
async def test_connections_are_filtered(
    admin: Admin, clients: Clients, name: str, filters_for: dict[str, dict[str, str]], by: str
) -> None:
    async with clients.open(name, name) as client, clients.open("somebody else"):
        found = await admin.get_json("console/connections", **filters_for[by])
        assert [one["client"] for one in found["connections"]] == [client.id]
        for more in ({"transport": "websocket"}, {"ip": "127.0.0"}, {"client": client.id}):
            assert (await admin.get_json("console/connections", **filters_for[by], **more))["total"] == 1
        for other in ({"transport": "sse"}, {"ip": "10.0.0.1"}, {"label": "a=b"}, {"client": "nobody"}):
            assert (await admin.get_json("console/connections", **filters_for[by], **other))["total"] == 0


async def test_connection_details(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name, name, recoverable=True) as client:
        await admin.command(f'{{"method":"publish","params":{{"channel":"{name}","data":1}}}}')
        found = await admin.get_json("console/connection", client=client.id)
        assert (found["user"], found["state"], found["address"]) == (name, "connected", "127.0.0.1")
        (subscription,) = found["subscriptions"]
        assert (subscription["channel"], subscription["state"], subscription["offset"]) == (name, "live", 1)
        assert subscription["source"] == "client allowed"
    status, _ = await admin.get_error("console/connection", client=str(uuid.uuid4()))
    assert status == 404


def field(fields: list[dict[str, Any]], *path: str) -> dict[str, Any]:
    found: dict[str, Any] = {"children": fields}
    for key in path:
        found = next(one for one in found["children"] if one["key"] == key)
    return found


async def test_the_configuration_is_shown_without_secrets(admin: Admin, server: Server) -> None:
    fields = (await admin.get_json("api/config"))["fields"]
    password = field(fields, "admin", "password")
    assert (password["kind"], password["set"], password["display"]) == ("secret", True, "••••••")
    assert (password["overridden"], password["origin"]) == (True, "file")
    assert field(fields, "http_server", "port")["value"] == server.port
    ping = field(fields, "client", "ping_interval")
    assert (ping["human"], ping["overridden"], ping["origin"]) == ("25s", False, "default")
    async with admin.session.get(f"{admin.url}/admin/api/config", headers=admin.headers) as answer:
        text = await answer.text()
    secrets = ("the password", "the secret", "the admin key", server.config["client"]["token"]["hmac_secret_key"])
    assert [secret for secret in secrets if secret in text] == []


async def test_the_effective_options_of_a_channel(admin: Admin) -> None:
    found = await admin.get_json("api/channel_options", channel="private:x")
    assert (found["found"], found["namespace"], found["options"]["presence"]) == (True, "private", False)
    assert await admin.get_json("api/channel_options", channel="nowhere:x") == {
        "found": False, "namespace": None, "options": {},
    }  # fmt: skip
