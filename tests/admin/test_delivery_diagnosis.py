"""Why somebody did not receive something."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.admin.conftest import Admin, Clients


@pytest.fixture
def name() -> str:
    """A channel and user of this test alone."""
    return f"n{uuid.uuid4().hex[:12]}"


async def publish(admin: Admin, channel: str, tags: str = "{}") -> None:
    body = f'{{"method":"publish","params":{{"channel":"{channel}","data":1,"tags":{tags}}}}}'
    assert "error" not in (await admin.command(body))[1]


async def outcomes(admin: Admin, **asked: object) -> list[str]:
    found = await admin.ask("console/explanation", **asked)
    return [step[1] for step in found["connections"][0]["steps"]]


async def test_what_was_delivered_left_the_server(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name, name, recoverable=True) as client:
        await publish(admin, name)
        await client.receive()
        assert await outcomes(admin, user=name, channel=name, offset=1) == ["yes"] * 4


async def test_who_has_not_subscribed_is_told_whether_it_may(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name) as client:
        may = await admin.ask("console/explanation", client=client.id, channel=name)
        assert "It may, but has not asked to" in may["connections"][0]["verdict"]
        may_not = await admin.ask("console/explanation", client=client.id, channel="private:x")
        assert "error 103" in may_not["connections"][0]["verdict"]


async def test_a_filter_that_stopped_it_is_named(admin: Admin, clients: Clients, name: str) -> None:
    wanted = {"key": "kind", "cmp": "eq", "val": "news"}
    async with clients.open(name, name, recoverable=True, tf=wanted):
        await publish(admin, name, '{"kind":"gossip"}')
        found = await admin.ask("console/explanation", user=name, channel=name, offset=1)
        assert "tags filter" in found["connections"][0]["verdict"]
        assert await outcomes(admin, user=name, channel=name) == ["yes", "unknown", "yes", "yes"]


async def test_what_was_never_published_is_told(admin: Admin, clients: Clients, name: str) -> None:
    async with clients.open(name, name, recoverable=True):
        found = await admin.ask("console/explanation", user=name, channel=name, offset=7)
        assert found["steps"][0][1] == "no"
        assert "this node has not got it yet" in found["connections"][0]["verdict"]


async def test_nobody_and_nowhere(admin: Admin, name: str) -> None:
    nobody = await admin.ask("console/explanation", user=name, channel=name)
    assert (nobody["connections"], nobody["verdict"]) == ([], "Nobody of this name is connected.")
    nowhere = await admin.ask("console/explanation", user=name, channel="nowhere:x")
    assert nowhere["verdict"] == "There is no such namespace."
    assert (await admin.refusal("console/explanation", channel=name))[0] == 400
