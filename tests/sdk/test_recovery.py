"""What the official SDKs get back after the connection or the server went away."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conftest import StartServer
from tests.sdk.client import Subscribe
from tests.sdk.configs import OPEN
from tests.sdk.conftest import MakeClient
from tests.support.relay import Relay
from tests.support.server import Server
from tests.support.tokens import token


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(OPEN)


@pytest_asyncio.fixture
async def relay(server: Server) -> AsyncIterator[Relay]:
    async with Relay(server.port) as relay:
        yield relay


async def publish(server: Server, channel: str, *values: object) -> None:
    for value in values:
        await server.api("publish", {"channel": channel, "data": value})


async def test_messages_missed_while_offline_are_recovered_in_order(
    server: Server, relay: Relay, client: MakeClient
) -> None:
    channel = f"room:{uuid.uuid4()}"
    ann = client(relay.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(channel)
    await ann.journal.expect("subscribed", recovered=False)
    await publish(server, channel, "before")
    await ann.journal.expect("publication", data="before")

    await relay.break_off()
    await ann.journal.expect("subscribing", channel=channel, code=1)
    await publish(server, channel, "missed 1", "missed 2", "missed 3")
    await relay.mend()

    await ann.journal.expect("subscribed", was_recovering=True, recovered=True)
    await publish(server, channel, "after")
    await ann.journal.expect("publication", data="after")
    received = [event["data"] for event in ann.journal.everything if event["type"] == "publication"]
    assert received == ["before", "missed 1", "missed 2", "missed 3", "after"]


async def test_a_short_cut_loses_nothing_of_a_busy_channel(server: Server, relay: Relay, client: MakeClient) -> None:
    channel = f"room:{uuid.uuid4()}"
    ann = client(relay.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(channel)
    await ann.journal.expect("subscribed")
    sending = asyncio.create_task(publish(server, channel, *range(60)))
    for _ in range(3):
        await relay.cut()
        await ann.journal.expect("subscribed", recovered=True)
    await sending
    await ann.journal.expect("publication", data=59)
    received = [event["data"] for event in ann.journal.everything if event["type"] == "publication"]
    assert received == list(range(60))


async def test_more_than_history_holds_is_said_not_to_be_recovered(
    server: Server, relay: Relay, client: MakeClient
) -> None:
    channel = f"short:{uuid.uuid4()}"
    ann = client(relay.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(channel)
    await ann.journal.expect("subscribed")
    await relay.break_off()
    await publish(server, channel, *range(5))
    await relay.mend()
    subscribed = await ann.journal.expect("subscribed", was_recovering=True)
    assert (subscribed["recovered"], subscribed["offset"]) == (False, 5)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_a_restarted_server_has_a_new_epoch_and_says_so(
    private_server: StartServer, client: MakeClient, how: signal.Signals
) -> None:
    server = private_server(OPEN)
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe("room:restart")
    first = await ann.journal.expect("subscribed")
    await publish(server, "room:restart", 1, 2)
    await ann.journal.expect("publication", data=2)
    await ann.journal.expect("connecting")

    await asyncio.to_thread(server.restart, how)

    again = await ann.journal.expect("connecting")
    assert how == signal.SIGKILL or again["code"] == 3001
    second = await ann.journal.expect("subscribed", was_recovering=True, recovered=False)
    assert second["epoch"] != first["epoch"]
    await publish(server, "room:restart", "new life")
    assert (await ann.journal.expect("publication"))["offset"] == 1


async def test_a_server_side_subscription_is_recovered_too(server: Server, relay: Relay, client: MakeClient) -> None:
    channel = f"room:{uuid.uuid4()}"
    ann = client(relay.ws_url, token("ann", subs={channel: {}}))
    await ann.connect()
    await ann.journal.expect("server_subscribed", channel=channel)
    await publish(server, channel, "before")
    await ann.journal.expect("server_publication", data="before")
    await relay.break_off()
    await publish(server, channel, "missed")
    await relay.mend()
    await ann.journal.expect("server_subscribed", channel=channel, recovered=True)
    await ann.journal.expect("server_publication", data="missed")


def document(version: int) -> dict[str, object]:
    """Return a document of some 20 KB, of which one version differs from the next in a few bytes."""
    rows = [{"row": row, "text": f"the text of row {row}, which stays"} for row in range(400)]
    return {"version": version, "rows": rows}


async def test_delta_sends_what_changed_and_the_sdk_sees_the_whole(
    server: Server, relay: Relay, client: MakeClient
) -> None:
    channel = f"delta:{uuid.uuid4()}"
    ann = client(relay.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(channel, Subscribe(delta=True))
    await ann.journal.expect("subscribed")
    await publish(server, channel, document(1))
    await ann.journal.expect("publication", data=document(1))
    full = relay.bytes_to_client
    await publish(server, channel, *map(document, range(2, 12)))
    for version in range(2, 12):
        assert (await ann.journal.expect("publication"))["data"] == document(version)
    assert relay.bytes_to_client - full < 5_000


async def test_delta_goes_on_after_recovery(server: Server, relay: Relay, client: MakeClient) -> None:
    channel = f"delta:{uuid.uuid4()}"
    ann = client(relay.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(channel, Subscribe(delta=True))
    await ann.journal.expect("subscribed")
    await publish(server, channel, document(1))
    await ann.journal.expect("publication", data=document(1))
    await relay.break_off()
    await publish(server, channel, document(2), document(3))
    await relay.mend()
    await ann.journal.expect("subscribed", recovered=True)
    await publish(server, channel, document(4))
    for version in (2, 3, 4):
        assert (await ann.journal.expect("publication"))["data"] == document(version)
