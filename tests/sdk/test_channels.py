"""Subscribing, publishing, history and presence with the official SDKs."""

import time
import uuid

import pytest

from tests.conftest import StartServer
from tests.sdk.client import SdkClient, SdkError, Subscribe
from tests.sdk.configs import OPEN
from tests.sdk.conftest import MakeClient
from tests.support.server import Server
from tests.support.tokens import token


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(OPEN)


@pytest.fixture
def room() -> str:
    return f"room:{uuid.uuid4()}"


@pytest.fixture
def secret() -> str:
    return f"secret:{uuid.uuid4()}"


async def entered(make: MakeClient, server: Server, user: str, channel: str) -> SdkClient:
    """Return a client that is connected and subscribed."""
    client = make(server.ws_url, token(user))
    await client.connect()
    await client.subscribe(channel)
    await client.journal.expect("subscribed", channel=channel)
    return client


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"text": "hello", "nested": [1, 2.5, None, True]}, id="object"),
        pytest.param('ünïcödé 🚀 \n \\ "', id="string"),
        pytest.param(0, id="zero"),
        pytest.param([], id="empty-list"),
        pytest.param({"long": "x" * 50_000}, id="long"),
    ],
)
async def test_what_one_client_publishes_every_subscriber_receives(
    server: Server, client: MakeClient, room: str, data: object
) -> None:
    ann = await entered(client, server, "ann", room)
    ben = await entered(client, server, "ben", room)
    await ann.publish(room, data)
    for each in (ann, ben):
        assert (await each.journal.expect("publication"))["data"] == data


async def test_what_the_api_publishes_subscribers_receive_in_order(
    server: Server, client: MakeClient, room: str
) -> None:
    ann = await entered(client, server, "ann", room)
    for number in range(1, 21):
        await server.api("publish", {"channel": room, "data": {"number": number}, "tags": {"n": str(number)}})
    for number in range(1, 21):
        publication = await ann.journal.expect("publication")
        assert (publication["data"], publication["offset"]) == ({"number": number}, number)
        assert publication["tags"] == {"n": str(number)}


async def test_history_holds_what_was_published(server: Server, client: MakeClient, room: str) -> None:
    ann = await entered(client, server, "ann", room)
    for number in range(3):
        await ann.publish(room, number)
    history = await ann.history(room, -1)
    assert (history["data"], history["offset"]) == ([0, 1, 2], 3)
    assert (await ann.history(room, 2))["data"] == [0, 1]
    assert (await ann.history(room, 0))["data"] == []


async def test_presence_names_those_who_are_there(server: Server, client: MakeClient, room: str) -> None:
    ann = await entered(client, server, "ann", room)
    await entered(client, server, "ben", room)
    again = await entered(client, server, "ben", room)
    assert await ann.presence(room) == ["ann", "ben", "ben"]
    assert await ann.presence_stats(room) == {"clients": 3, "users": 2}
    await again.disconnect()
    await ann.journal.expect("leave", user="ben")
    assert await ann.presence_stats(room) == {"clients": 2, "users": 2}


async def test_joins_and_leaves_are_announced(server: Server, client: MakeClient, room: str) -> None:
    ann = await entered(client, server, "ann", room)
    ben = await entered(client, server, "ben", room)
    await ann.journal.expect("join", user="ben")
    await ben.unsubscribe(room)
    await ann.journal.expect("leave", user="ben")


async def test_an_unsubscribed_client_receives_nothing_more(server: Server, client: MakeClient, room: str) -> None:
    ann = await entered(client, server, "ann", room)
    ben = await entered(client, server, "ben", room)
    await ben.unsubscribe(room)
    await ann.journal.expect("leave", user="ben")
    await ann.publish(room, "without ben")
    await ann.journal.expect("publication", data="without ben")
    await ben.subscribe(f"{room}-other")
    await ben.journal.expect("subscribed", channel=f"{room}-other")
    assert not ben.journal.pending("publication")


async def test_unsubscribe_by_api_is_not_undone_by_the_sdk(server: Server, client: MakeClient, room: str) -> None:
    ann = await entered(client, server, "ann", room)
    await server.api("unsubscribe", {"user": "ann", "channel": room})
    await ann.journal.expect("unsubscribed", channel=room, code=2000, reason="server unsubscribe")
    await ann.subscribe(f"{room}-other")
    await ann.journal.expect("subscribed", channel=f"{room}-other")
    assert len(ann.journal.pending("subscribing", channel=room)) == 1


async def test_a_subscription_made_by_api_delivers_and_ends(server: Server, client: MakeClient, room: str) -> None:
    ann = client(server.ws_url, token(room))
    await ann.connect()
    await ann.journal.expect("connected")
    await server.api("subscribe", {"user": room, "channel": room, "data": {"welcome": True}})
    await ann.journal.expect("server_subscribed", channel=room)
    await server.api("publish", {"channel": room, "data": 1})
    await ann.journal.expect("server_publication", channel=room, data=1)
    await server.api("unsubscribe", {"user": room, "channel": room})
    await ann.journal.expect("server_unsubscribed", channel=room)


async def test_a_closed_channel_refuses_without_token(server: Server, client: MakeClient, secret: str) -> None:
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(secret)
    await ann.journal.expect("unsubscribed", channel=secret, code=103)


async def test_an_unknown_namespace_ends_the_subscription(server: Server, client: MakeClient) -> None:
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe("nowhere:at-all")
    await ann.journal.expect("unsubscribed", code=102)


async def test_a_subscription_token_opens_its_channel(server: Server, client: MakeClient, secret: str) -> None:
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(secret, Subscribe(token=token("ann", channel=secret)))
    await ann.journal.expect("subscribed", channel=secret)
    await server.api("publish", {"channel": secret, "data": "for ann"})
    await ann.journal.expect("publication", data="for ann")


async def test_a_subscription_token_opens_no_other_channel(server: Server, client: MakeClient, secret: str) -> None:
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(secret, Subscribe(token=token("ann", channel="secret:other")))
    await ann.journal.expect("disconnected", code=3500)


async def test_an_expired_subscription_token_is_renewed(server: Server, client: MakeClient, secret: str) -> None:
    old = token("ann", channel=secret, exp=int(time.time()) - 10)
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(secret, Subscribe(token=old, renewed=token("ann", channel=secret)))
    await ann.journal.expect("subscription_token_requested", channel=secret)
    await ann.journal.expect("subscribed", channel=secret)


async def test_a_subscription_is_renewed_without_losing_it(server: Server, client: MakeClient, secret: str) -> None:
    now = int(time.time())
    renewed = token("ann", channel=secret, exp=now + 3600)
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    await ann.subscribe(secret, Subscribe(token=token("ann", channel=secret, exp=now + 2), renewed=renewed))
    await ann.journal.expect("subscribed", channel=secret)
    await ann.journal.expect("subscription_token_requested", channel=secret)
    await server.api("publish", {"channel": secret, "data": "still here"})
    await ann.journal.expect("publication", data="still here")
    assert len(ann.journal.pending("subscribing")) == 1


async def test_refused_commands_raise_the_code_of_the_contract(
    server: Server, client: MakeClient, room: str, secret: str
) -> None:
    ann = await entered(client, server, "ann", room)
    with pytest.raises(SdkError, match="103"):
        await ann.publish(secret, "not allowed")
    with pytest.raises(SdkError, match="103"):
        await ann.history(secret, 1)
    with pytest.raises(SdkError, match="108"):
        await ann.presence(secret)
    with pytest.raises(SdkError, match="108"):
        await ann.rpc("no such method", {})
