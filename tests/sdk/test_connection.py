"""Connecting, staying connected and being sent away, as the official SDKs live through it."""

import time

import pytest

from tests.conftest import StartServer
from tests.sdk.configs import OPEN
from tests.sdk.conftest import MakeClient
from tests.support.server import Server
from tests.support.tokens import token

# Not 3000: no close frame carries it.
RECONNECTABLE = [3001, 3004, 3005, 3006, 3008, 3009, 3010, 3011, 3012, 3013, 3014, 3499, 4000, 4499]
TERMINAL = [3500, 3501, 3502, 3503, 3504, 3505, 3506, 3507, 3508, 3509, 3999, 4500, 4999]


@pytest.fixture
def server(shared_server: StartServer) -> Server:
    return shared_server(OPEN)


async def test_a_valid_token_connects(server: Server, client: MakeClient) -> None:
    ann = client(server.ws_url, token("ann"))
    await ann.connect()
    assert (await ann.journal.expect("connected"))["client"]


async def test_a_token_of_another_secret_is_refused_for_good(server: Server, client: MakeClient) -> None:
    eve = client(server.ws_url, token("eve", secret="not the server's secret, but as long"))
    await eve.connect()
    await eve.journal.expect("disconnected", code=3500, reason="invalid token")


async def test_an_expired_token_is_renewed_before_connecting(server: Server, client: MakeClient) -> None:
    ann = client(server.ws_url, token("ann", exp=int(time.time()) - 10), renewed=token("ann"))
    await ann.connect()
    await ann.journal.expect("token_requested")
    await ann.journal.expect("connected")


async def test_a_token_is_renewed_without_losing_the_connection(server: Server, client: MakeClient) -> None:
    user = "renewing"
    now = int(time.time())
    ann = client(server.ws_url, token(user, exp=now + 2), renewed=token(user, exp=now + 3600))
    await ann.connect()
    await ann.journal.expect("connected")
    await ann.journal.expect("token_requested")
    await ann.subscribe("room:renewed")
    await ann.journal.expect("subscribed")
    assert await ann.presence("room:renewed") == [user]
    await ann.journal.expect("connecting")
    assert not ann.journal.pending("connecting")


async def test_the_api_can_end_a_connection_at_once(server: Server, client: MakeClient) -> None:
    user = "expired by api"
    ann = client(server.ws_url, token(user), renewed=token(user))
    await ann.connect()
    await ann.journal.expect("connected")
    await ann.journal.expect("connecting")
    await server.api("refresh", {"user": user, "expired": True})
    await ann.journal.expect("connecting", code=3005)
    await ann.journal.expect("connected")


async def test_disconnect_by_api_is_terminal_unless_told_otherwise(server: Server, client: MakeClient) -> None:
    ann = client(server.ws_url, token("unwanted"))
    await ann.connect()
    await ann.journal.expect("connected")
    await server.api("disconnect", {"user": "unwanted"})
    await ann.journal.expect("disconnected", code=3503, reason="force disconnect")


async def test_reconnectable_codes_bring_the_sdk_and_its_subscription_back(server: Server, client: MakeClient) -> None:
    user = "returning"
    ann = client(server.ws_url, token(user), renewed=token(user))
    await ann.connect()
    await ann.subscribe("room:returning")
    await ann.journal.expect("subscribed")
    for code in RECONNECTABLE:
        await server.api("disconnect", {"user": user, "disconnect": {"code": code, "reason": "come back"}})
        await ann.journal.expect("connecting", code=code)
        await ann.journal.expect("subscribed")
        await server.api("publish", {"channel": "room:returning", "data": {"after": code}})
        await ann.journal.expect("publication", data={"after": code})
    assert not ann.journal.pending("disconnected")


async def test_terminal_codes_stop_the_sdk(server: Server, client: MakeClient) -> None:
    for code in TERMINAL:
        user = f"stopped {code}"
        ann = client(server.ws_url, token(user), renewed=token(user))
        await ann.connect()
        await ann.journal.expect("connected")
        await server.api("disconnect", {"user": user, "disconnect": {"code": code, "reason": "go away"}})
        assert (await ann.journal.expect("disconnected"))["code"] == code
        assert len(ann.journal.pending("connecting")) == 1


async def test_pings_keep_a_quiet_connection_and_pongs_are_answered(
    shared_server: StartServer, client: MakeClient
) -> None:
    server = shared_server({**OPEN, "client": {"ping_interval": "1s", "pong_timeout": "0.4s"}})
    ann = client(server.ws_url, token("quiet"))
    await ann.connect()
    await ann.subscribe("room:quiet")
    await ann.journal.expect("subscribed")
    with pytest.raises(AssertionError, match="no connecting"):
        await ann.journal.expect("connecting", patience=2.5, code=3012)
    assert await ann.presence("room:quiet") == ["quiet"]
