"""Tokens whose keys have to be fetched first (03 §6.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.channels.subscription import Source
from fanjet.protocol.codes import DISCONNECT_FORCE, UNSUBSCRIBE_SERVER
from tests.support.tokens import token

if TYPE_CHECKING:
    from tests.client.harness import Rig


class Slow:
    """Verifies when it is allowed to."""

    def __init__(self, verifier: Any) -> None:
        self.gate = asyncio.Event()
        self._verifier = verifier

    async def verify(self, text: str) -> Any:
        await self.gate.wait()
        return await self._verifier.verify(text)


@pytest.fixture
async def slow_connections(rig: Rig) -> Slow:
    slow = Slow(rig.context.connection_verifier)
    rig.context.connection_verifier = slow  # type: ignore[assignment]
    return slow


@pytest.fixture
async def slow_subscriptions(rig: Rig) -> Slow:
    slow = Slow(rig.context.subscription_verifier)
    rig.context.subscription_verifier = slow  # type: ignore[assignment]
    return slow


def subscribe(channel: str = "news") -> dict[str, Any]:
    return {"subscribe": {"channel": channel, "token": token("ann", channel=channel)}}


async def test_a_client_that_is_gone_before_its_token_is_verified_never_was(rig: Rig, slow_connections: Slow) -> None:
    client = rig.open()
    client.send({"connect": {"token": token("ann", channels=["news"])}})
    client.transport.lose()
    slow_connections.gate.set()
    await rig.settle()
    assert client.answered == []
    rig.assert_nothing_left()


async def test_a_subscribe_of_a_closed_connection_stops(rig: Rig, slow_subscriptions: Slow) -> None:
    client = rig.connected()
    client.send(subscribe())
    client.session.disconnect(DISCONNECT_FORCE)
    slow_subscriptions.gate.set()
    await rig.settle()
    rig.assert_nothing_left()


async def test_a_channel_that_the_server_has_subscribed_meanwhile_is_taken(rig: Rig, slow_subscriptions: Slow) -> None:
    client = rig.connected()
    client.send(subscribe())
    options = rig.node.namespaces.resolve("news").granted[Source.CLIENT_ALLOWED]
    await client.session.subscribe_by_server("news", options, None)
    slow_subscriptions.gate.set()
    await rig.settle()
    assert client.replies[-1]["error"]["code"] == 105
    assert client.session.subscriptions["news"].server_side


async def test_a_subscription_that_has_ended_meanwhile_is_not_prolonged(rig: Rig, slow_subscriptions: Slow) -> None:
    slow_subscriptions.gate.set()
    client = rig.connected()
    client.call(**subscribe())
    slow_subscriptions.gate.clear()
    client.send({"sub_refresh": {"channel": "news", "token": token("ann", channel="news")}})
    await client.session.unsubscribe_by_server("news", UNSUBSCRIBE_SERVER)
    slow_subscriptions.gate.set()
    await rig.settle()
    assert client.replies[-1]["error"]["code"] == 103
    assert client.session.subscriptions == {}
