"""Connections and subscriptions that end by themselves, and how they are prolonged (01 §5.5, §6.9, §6.10, 03 §6.12)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.tokens import token
from tests.support.wire_client import WireClient, connected, opened

if TYPE_CHECKING:
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]
EXPIRED_SUBSCRIPTION = {"code": 2501, "reason": "subscription expired"}
DELAY = 1.0
"""Seconds of grace on the quick server, for connections and subscriptions."""
TICK = 0.4


def soon(seconds: int = 1) -> int:
    return int(time.time()) + seconds


def subscription_token(user: str, channel: str, **claims: Any) -> str:
    return token(user, channel=channel, **claims)


async def refused(client: WireClient, **command: Any) -> tuple[int | None, str | None]:
    """Send a command that ends the connection, and return how."""
    await client.send({"id": 77, **command})
    return await client.closed()


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_who_does_not_refresh_is_closed_after_the_delay(  # 01-26, 03-35
    quick: Server, name: str, is_protobuf: bool
) -> None:
    expires = soon()
    async with connected(quick, token(name, exp=expires), is_protobuf=is_protobuf) as client:
        assert await client.closed() == (3005, "connection expired")
        assert expires + DELAY <= time.time() <= expires + DELAY + 1.5  # seconds left are counted in whole


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_who_refreshes_stays(quick: Server, name: str, is_protobuf: bool) -> None:  # 01-26, 03-34
    async with connected(quick, token(name, exp=soon()), is_protobuf=is_protobuf) as client:
        result = await client.call(refresh={"token": token(name, exp=soon(60))})
        assert result.pop("ttl") in {59, 60}
        assert result == {"expires": True}
        await asyncio.sleep(1 + DELAY)
        assert await client.call(unsubscribe={"channel": "still there"}) == {}


async def test_a_token_without_expiry_makes_a_connection_permanent(quick: Server, name: str) -> None:  # fix 3
    async with connected(quick, token(name, exp=soon())) as client:
        assert await client.call(refresh={"token": token(name)}) == {}
        await asyncio.sleep(1 + DELAY)
        assert await client.call(unsubscribe={"channel": "still there"}) == {}


@pytest.mark.parametrize(
    ("claims", "outcome"),
    [
        pytest.param({"user": "another"}, (3500, "invalid token"), id="01-26-03-34-other-user"),
        pytest.param({"exp": 1}, (3005, "connection expired"), id="01-26-03-34-expired"),
        pytest.param({"secret": "another"}, (3500, "invalid token"), id="6.9-signature"),
        pytest.param({"channels": ["closed:more"]}, (3010, "insufficient state"), id="03-34-added-channel"),
        pytest.param({"channels": []}, (3010, "insufficient state"), id="6.9-channel-missing"),
    ],
)
async def test_a_refresh_that_does_not_fit_ends_the_connection(
    quick: Server, name: str, claims: dict[str, Any], outcome: tuple[int, str]
) -> None:
    async with opened(quick) as client:
        await client.connect(token=token(name, channels=["closed:a"]))
        claims = {"user": name, "exp": soon(60), "channels": ["closed:a"], **claims}
        assert await refused(client, refresh={"token": token(**claims)}) == outcome


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        pytest.param({"channels": ["nope:a"]}, 102, id="6.9-unknown-namespace"),
        pytest.param({"expire_at": 5}, 110, id="6.9-expiry-in-the-past"),
    ],
)
async def test_a_refresh_may_fail(quick: Server, name: str, claims: dict[str, Any], code: int) -> None:
    async with connected(quick, token(name)) as client:
        assert await client.error(refresh={"token": token(name, exp=soon(60), **claims)}) == code


@pytest.mark.parametrize("channels", [["closed:a"], ["closed:a", ""], [""]])
async def test_the_same_channels_and_a_later_end_are_fine(quick: Server, name: str, channels: list[str]) -> None:
    async with opened(quick) as client:  # 03-34; an empty name was left out when connecting
        await client.connect(token=token(name, exp=soon(30), channels=channels))
        result = await client.call(refresh={"token": token(name, exp=soon(90), channels=channels)})
        assert result["ttl"] in {89, 90}


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_subscription_that_is_not_refreshed_ends_alone(  # 01-27, 03-36
    quick: Server, name: str, is_protobuf: bool
) -> None:
    channel, expires = f"closed:{name}", soon(2)
    async with connected(quick, token(name), is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, token=subscription_token(name, channel, exp=expires))
        assert result["expires"]
        assert result["ttl"] in {1, 2}
        assert await client.push() == {"channel": channel, "unsubscribe": EXPIRED_SUBSCRIPTION}
        assert expires + DELAY < time.time() < expires + DELAY + 1 + TICK + 0.5
        await quick.api("publish", {"channel": channel, "data": 1})
        assert await client.pushes_so_far() == []


async def test_a_refreshed_subscription_goes_on(quick: Server, name: str) -> None:  # 03-36
    channel = f"closed:{name}"
    async with connected(quick, token(name)) as client:
        await client.subscribe(channel, token=subscription_token(name, channel, exp=soon()))
        later = subscription_token(name, channel, exp=soon(60))
        result = await client.call(sub_refresh={"channel": channel, "token": later})
        assert result.pop("ttl") in {59, 60}
        assert result == {"expires": True}
        await asyncio.sleep(1 + DELAY + TICK)
        await quick.api("publish", {"channel": channel, "data": 1})
        assert (await client.publication())["data"] == 1


async def test_a_token_without_expiry_makes_a_subscription_permanent(quick: Server, name: str) -> None:  # 01 6.10
    channel = f"closed:{name}"
    async with connected(quick, token(name)) as client:
        await client.subscribe(channel, token=subscription_token(name, channel, exp=soon()))
        permanent = subscription_token(name, channel)
        assert await client.call(sub_refresh={"channel": channel, "token": permanent}) == {}
        await asyncio.sleep(1 + DELAY + TICK)
        assert await client.pushes_so_far() == []


async def test_an_expired_token_ends_the_subscription_at_once(quick: Server, name: str) -> None:  # 01-28, 03-36, fix 2
    channel = f"closed:{name}"
    async with connected(quick, token(name)) as client:
        await client.subscribe(channel, token=subscription_token(name, channel, exp=soon(60)))
        expired = subscription_token(name, channel, exp=1)
        await client.send({"id": 9, "sub_refresh": {"channel": channel, "token": expired}})
        assert await client.push() == {"channel": channel, "unsubscribe": EXPIRED_SUBSCRIPTION}
        assert await client.receive() == {"id": 9, "error": {"code": 109, "message": "token expired"}}
        await quick.api("publish", {"channel": channel, "data": 1})
        assert await client.pushes_so_far() == []


async def test_what_cannot_be_refreshed(quick: Server, name: str) -> None:  # 01-28, 03-36
    channel = f"closed:{name}"
    async with connected(quick, token(name)) as client:
        valid = subscription_token(name, channel, exp=soon(60))
        assert await client.error(sub_refresh={"channel": channel, "token": valid}) == 103
        await client.subscribe(channel, token=valid)
        assert await client.error(sub_refresh={"channel": channel}) == 107
        past = subscription_token(name, channel, exp=soon(60), expire_at=5)
        assert await client.error(sub_refresh={"channel": channel, "token": past}) == 110
        now = subscription_token(name, channel, exp=soon(60), expire_at=soon(0))
        assert await client.error(sub_refresh={"channel": channel, "token": now}) == 110  # fix 8


@pytest.mark.parametrize(
    ("user", "channel", "secret"),
    [
        pytest.param("own", "closed:other", None, id="03-36-other-channel"),
        pytest.param("another", "own", None, id="6.10-other-user"),
        pytest.param("own", "own", "another", id="6.10-signature"),
    ],
)
async def test_a_token_that_does_not_fit_ends_the_connection(
    quick: Server, name: str, user: str, channel: str, secret: str | None
) -> None:
    own = f"closed:{name}"
    async with connected(quick, token(name)) as client:
        await client.subscribe(own, token=subscription_token(name, own, exp=soon(60)))
        signing = {"secret": secret} if secret else {}
        wrong = token(name if user == "own" else user, channel=own if channel == "own" else channel, **signing)
        assert await refused(client, sub_refresh={"channel": own, "token": wrong}) == (3500, "invalid token")


async def test_the_token_may_name_the_channel(quick: Server, name: str) -> None:  # 01-28, fix 13
    channel = f"closed:{name}"
    async with connected(quick, token(name)) as client:
        later = subscription_token(name, channel, exp=soon(60))
        await client.subscribe(channel, token=subscription_token(name, channel, exp=soon(30)))
        assert (await client.call(sub_refresh={"token": later}))["ttl"] in {59, 60}
        other = subscription_token(name, "closed:other", exp=soon(60))
        assert await refused(client, sub_refresh={"token": other}) == (3501, "bad request")


async def test_the_server_s_own_subscriptions_cannot_be_refreshed(quick: Server, name: str) -> None:  # 01 6.10
    channel = f"closed:{name}"
    async with opened(quick) as client:
        await client.connect(token=token(name, channels=[channel]))
        valid = subscription_token(name, channel, exp=soon(60))
        assert await refused(client, sub_refresh={"channel": channel, "token": valid}) == (3501, "bad request")


async def test_a_server_side_subscription_that_expires_takes_the_connection_along(  # 01 5.6
    quick: Server, name: str
) -> None:
    async with connected(quick, token(name)) as client:
        request = {"user": name, "channel": f"closed:{name}", "expire_at": soon(2)}
        await quick.api("subscribe", request)
        assert "subscribe" in await client.push()
        assert await client.closed() == (3006, "subscription expired")


async def test_the_api_ends_a_lifetime(quick: Server, name: str) -> None:  # 01 5.5, fix 3
    async with connected(quick, token(name, exp=soon(1))) as client:
        await quick.api("refresh", {"user": name})
        assert await client.push() == {"refresh": {}}
        await asyncio.sleep(1 + DELAY)
        assert await client.pushes_so_far() == []
        await quick.api("refresh", {"user": name, "expire_at": soon(0)})
        assert await client.closed() == (3005, "connection expired")
