"""Diagnosis of missing deliveries."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.admin.conftest import Admin, Clients


@pytest.fixture
def name() -> str:
    """A channel and user used only by this test."""
    return f"n{uuid.uuid4().hex[:12]}"


async def publish(admin: Admin, channel: str, tags: str = "{}") -> None:
    body = f'{{"method":"publish","params":{{"channel":"{channel}","data":1,"tags":{tags}}}}}'
    assert "error" not in (await admin.command(body))[1]


async def outcomes(admin: Admin, **params: object) -> list[str]:
    found = await admin.get_json("console/explanation", **params)
    return [step[1] for step in found["connections"][0]["steps"]]


async def test_a_delivered_publication_left_the_server(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name, name, recoverable=True) as client:
        await publish(admin, name)
        await client.receive()
        assert await outcomes(admin, user=name, channel=name, offset=1) == ["yes"] * 4


async def test_without_a_subscription_its_permission_is_diagnosed(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name) as client:
        may = await admin.get_json("console/explanation", client=client.id, channel=name)
        assert "It may, but has not asked to" in may["connections"][0]["verdict"]
        may_not = await admin.get_json("console/explanation", client=client.id, channel="private:x")
        assert "error 103" in may_not["connections"][0]["verdict"]


async def test_a_filter_that_stopped_the_publication_is_named(admin: Admin, clients: Clients, name: str) -> None:
    wanted = {"key": "kind", "cmp": "eq", "val": "news"}
    async with clients.open(name, name, recoverable=True, tf=wanted):
        await publish(admin, name, '{"kind":"gossip"}')
        found = await admin.get_json("console/explanation", user=name, channel=name, offset=1)
        assert "tags filter" in found["connections"][0]["verdict"]
        assert await outcomes(admin, user=name, channel=name) == ["yes", "unknown", "yes", "yes"]


async def test_an_offset_that_was_never_published(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name, name, recoverable=True):
        found = await admin.get_json("console/explanation", user=name, channel=name, offset=7)
        assert found["steps"][0][1] == "no"
        assert "this node has not got it yet" in found["connections"][0]["verdict"]


async def test_unknown_user_and_unknown_namespace(admin: Admin, name: str) -> None:
    unknown_user = await admin.get_json("console/explanation", user=name, channel=name)
    assert (unknown_user["connections"], unknown_user["verdict"]) == ([], "Nobody of this name is connected.")
    unknown_namespace = await admin.get_json("console/explanation", user=name, channel="nowhere:x")
    assert unknown_namespace["verdict"] == "There is no such namespace."
    assert (await admin.get_error("console/explanation", channel=name))[0] == 400
