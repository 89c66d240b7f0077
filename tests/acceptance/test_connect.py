"""Connecting: what is answered, what is refused, and how (01 §6.1, 03 §5)."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.configs import ANYONE
from tests.support.tokens import base64url, encoded, token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StartServer
    from tests.support.server import Server

STRICT: dict[str, Any] = {
    "client": {
        "disallow_anonymous_connection_tokens": True,
        "user_id_http_header": "X-User",
        "user_connection_limit": 1,
        "channel_limit": 1,
        "token": {
            "audience": "a",
            "issuer": "i",
            "user_id_claim": "uid",
            "hmac_previous_secret_key": "the old secret",
            "hmac_previous_secret_key_valid_until": 4102444800,
        },
        "subscription_token": {"enabled": True, "hmac_secret_key": "for subscriptions"},
    },
    "channel": {
        "without_namespace": {"allow_subscribe_for_client": True},
        "namespaces": [{"name": "seen", **ANYONE, "presence": True}, {"name": "closed"}],
    },
}
"""No anonymous connections, claims of tokens are looked at, and old keys still count."""
GOOD = {"aud": "a", "iss": "i"}


@pytest.fixture
def strict(shared_server: StartServer) -> Server:
    return shared_server(STRICT)


async def test_a_connection_learns_its_id_the_version_and_the_ping_interval(server: Server) -> None:  # 01-1, 02-7, 03-1
    async with opened(server) as client:
        reply = await client.call(connect={})
        assert str(uuid.UUID(reply["client"], version=4)) == reply["client"]
        assert reply["version"].endswith(" OSS")
        assert reply == {"client": reply["client"], "version": reply["version"], "ping": 25, "pong": True}


async def test_commands_are_taken_from_binary_frames_and_answered_in_text(server: Server) -> None:  # 02-7
    async with opened(server) as client:
        await client.socket.send(b'{"id":1,"connect":{}}')
        assert (await client.receive())["connect"]["ping"] == 25
        assert isinstance(client.frames[0], str)


async def test_flags_profiles_and_dictionaries_are_ignored(server: Server) -> None:  # 01-47
    async with opened(server) as client:
        result = await client.connect(flag=1, profile="p", dict="d", name="n", version="v", headers={"a": "b"}, data=[])
        assert result.keys() == {"client", "version", "ping", "pong"}


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param('{"id":1,"subscribe":{"channel":"news"}}', id="01-3-02-9-another-command"),
        pytest.param("{}", id="01-4-a-pong"),
        pytest.param('{"connect":{}}', id="01-4-no-id"),
        pytest.param('{"id":0,"connect":{}}', id="01-4-id-zero"),
    ],
)
async def test_a_connection_begins_with_connect(server: Server, frame: str) -> None:
    async with opened(server) as client:
        await client.socket.send(frame)
        assert await client.closed() == (3501, "bad request")
        assert client.nothing_waits()


async def test_without_a_token_nobody_gets_in(strict: Server) -> None:  # 01-2, 03-1
    async with opened(strict) as client:
        await client.socket.send('{"id":1,"connect":{}}')
        assert await client.closed() == (3501, "bad request")


async def test_silence_is_stale(quick: Server) -> None:  # 01-5, 02-17
    async with opened(quick) as client:
        assert await client.closed() == (3502, "stale")


async def test_commands_behind_connect_are_answered_in_order(server: Server, name: str) -> None:  # 01-6, 02-8
    async with opened(server) as client:
        await client.send(
            {"id": 1, "connect": {}},
            {"id": 2, "subscribe": {"channel": name}},
            {"id": 3, "rpc": {"method": "x"}},
        )
        replies = [await client.receive() for _ in range(3)]
        assert [reply["id"] for reply in replies] == [1, 2, 3]
        assert [list(reply)[1] for reply in replies] == ["connect", "subscribe", "error"]


async def test_an_invalid_token_closes_and_nothing_behind_it_is_done(server: Server, name: str) -> None:  # 01-7
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {"token": "no token"}}, {"id": 2, "subscribe": {"channel": name}})
        assert await client.closed() == (3500, "invalid token")
        assert client.nothing_waits()


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(lambda now: {"exp": now - 1}, id="01-7-03-3-expired"),
        pytest.param(lambda now: {"nbf": now + 60}, id="03-3-not-yet-valid"),
    ],
)
async def test_an_expired_token_is_an_error_and_nothing_behind_it_is_done(
    server: Server, name: str, claims: Callable[[int], dict[str, int]]
) -> None:
    async with opened(server) as client:
        connect = {"token": token("u1", **claims(int(time.time())))}
        await client.send({"id": 1, "connect": connect}, {"id": 2, "subscribe": {"channel": name}})
        assert await client.receive() == {"id": 1, "error": {"code": 109, "message": "token expired"}}
        assert name not in (await server.api("channels", {"pattern": name}))["channels"]


async def test_after_an_error_the_connection_is_dropped_if_the_client_does_not_close_it(server: Server) -> None:
    async with opened(server) as client:  # 02-18, 03-3
        assert await client.error(connect={"token": token("u1", exp=1)}) == 109
        await client.send({"id": 2, "unsubscribe": {"channel": "x"}})
        began = asyncio.get_running_loop().time()
        assert await client.closed() == (1006, "")
        assert 4 <= asyncio.get_running_loop().time() - began <= 7
        assert client.nothing_waits()


async def test_connecting_twice_is_a_bad_request(server: Server) -> None:  # 01-8
    async with connected(server) as client:
        await client.send({"id": 2, "connect": {}})
        assert await client.closed() == (3501, "bad request")


@pytest.mark.parametrize(
    ("claims", "seconds"),
    [
        pytest.param(lambda now: {}, None, id="03-2-for-ever"),
        pytest.param(lambda now: {"exp": now + 60}, 60, id="03-2-exp"),
        pytest.param(lambda now: {"exp": now + 60, "expire_at": 0}, None, id="03-6-expire-at-zero"),
        pytest.param(lambda now: {"exp": now + 60, "expire_at": now + 600}, 600, id="03-6-expire-at"),
        pytest.param(lambda now: {"exp": now + 10 * 365 * 86400}, 365 * 86400, id="01-1-at-most-a-year"),
    ],
)
async def test_the_lifetime_of_a_connection_is_announced(
    server: Server, claims: Callable[[int], dict[str, int]], seconds: int | None
) -> None:
    async with opened(server) as client:
        result = await client.connect(token=token("u1", **claims(int(time.time()))))
        assert ("expires" in result, "ttl" in result) == (seconds is not None,) * 2
        if seconds is not None:
            assert seconds - 2 <= result["ttl"] <= seconds


@pytest.mark.parametrize("ago", [pytest.param(5, id="03-6"), pytest.param(0, id="01-fix-8-equal-to-now")])
async def test_a_connection_cannot_begin_expired(server: Server, ago: int) -> None:
    async with opened(server) as client:
        now = int(time.time())
        connect = {"token": token("u1", exp=now + 60, expire_at=now - ago)}
        assert await client.call(connect=connect) == {"error": {"code": 110, "message": "expired"}}


def unsigned() -> str:
    return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded({'sub': 'u1'})}."


def by_another_algorithm() -> str:
    return f"{encoded({'alg': 'RS256', 'typ': 'JWT'})}.{encoded({'sub': 'u1'})}.{base64url(b'x' * 256)}"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(token("u1", secret="another"), id="03-4-signature"),
        pytest.param(unsigned(), id="03-4-none"),
        pytest.param(token(7), id="03-4-numeric-user"),  # type: ignore[arg-type]
        pytest.param("random text", id="03-4-text"),
        pytest.param(by_another_algorithm(), id="03-4-rsa"),
        pytest.param(token("u1", channel="x"), id="03-5-a-subscription-token"),
        pytest.param(token("u1", b64info="***"), id="01-6.1-d17-info-that-is-no-base64"),
    ],
)
async def test_what_is_no_connection_token_closes(server: Server, wrong: str) -> None:
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {"token": wrong}})
        assert await client.closed() == (3500, "invalid token")


async def test_a_token_without_user_is_anonymous(server: Server, name: str) -> None:  # 03-7
    async with connected(server, token()) as client:
        await client.subscribe(f"all:{name}")
        presence = await client.call(presence={"channel": f"all:{name}"})
        assert presence["presence"] == {client.client_id: {"user": "", "client": client.client_id}}


async def test_tokens_without_user_may_be_refused(strict: Server) -> None:  # 03-7
    async with opened(strict) as client:
        await client.send({"id": 1, "connect": {"token": token(**GOOD)}})
        assert await client.closed() == (3507, "permission denied")


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        pytest.param({"aud": "a", "iss": "i"}, True, id="03-8-both"),
        pytest.param({"aud": ["x", "a"], "iss": "i"}, True, id="03-8-audience-in-list"),
        pytest.param({"iss": "i"}, False, id="03-8-no-audience"),
        pytest.param({"aud": "x", "iss": "i"}, False, id="03-8-other-audience"),
        pytest.param({"aud": "a"}, False, id="03-8-no-issuer"),
        pytest.param({"aud": "a", "iss": "x"}, False, id="03-8-other-issuer"),
    ],
)
async def test_audience_and_issuer(strict: Server, name: str, claims: dict[str, Any], accepted: bool) -> None:
    async with opened(strict) as client:
        await client.send({"id": 1, "connect": {"token": token(uid=name, **claims)}})
        if accepted:
            assert "connect" in await client.receive()
        else:
            assert await client.closed() == (3500, "invalid token")


async def test_another_claim_may_hold_the_user(strict: Server, name: str) -> None:  # 03-10
    async with connected(strict, token("sub is not looked at", uid=42, **GOOD)) as client:
        await client.subscribe(f"seen:{name}")
        presence = await strict.api("presence", {"channel": f"seen:{name}"})
        assert presence["presence"][client.client_id]["user"] == "42"


async def test_the_previous_key_counts_until_its_time(strict: Server, server: Server, name: str) -> None:  # 03-11
    old = token("u1", secret="the old secret", uid=name, **GOOD)
    async with connected(strict, old):
        pass
    async with opened(server) as client:
        await client.send({"id": 1, "connect": {"token": old}})
        assert await client.closed() == (3500, "invalid token")


async def test_subscription_tokens_may_have_a_key_of_their_own(strict: Server, name: str) -> None:  # 03-14
    claims = {"channel": "closed:x", "sub": name}
    async with connected(strict, token(uid=name, **GOOD)) as client:
        subscribe = {"channel": "closed:x", "token": token(name, channel="closed:x")}
        assert await client.error(subscribe=subscribe) == 103
        await client.subscribe("closed:x", token=token(secret="for subscriptions", **claims))


async def test_a_header_may_name_the_user(strict: Server, server: Server, name: str) -> None:  # 02-42, 03-30
    user = {"X-User": f"{name}-7"}
    channel = f"seen:{name}"

    async def seen(**how: Any) -> str:
        async with connected(strict, **how) as client:
            await client.subscribe(channel)
            presence = await strict.api("presence", {"channel": channel})
            return str(presence["presence"][client.client_id]["user"])

    assert await seen(headers=user) == f"{name}-7"
    assert await seen(headers=user, token=token(uid=f"{name}-9", **GOOD)) == f"{name}-9"
    async with connected(server, headers=user) as client:  # anonymous access comes first
        await client.subscribe(f"all:{name}")
        presence = await client.call(presence={"channel": f"all:{name}"})
        assert presence["presence"][client.client_id]["user"] == ""


async def test_a_user_has_so_many_connections(strict: Server, name: str) -> None:  # 01-53, 02-41, 03-45
    mine = token(uid=name, **GOOD)
    async with connected(strict, mine), opened(strict) as second:
        await second.send({"id": 1, "connect": {"token": mine}})
        assert await second.closed() == (3504, "connection limit")
    async with connected(strict, mine):
        pass


async def test_server_side_channels_count_for_the_limit(strict: Server, name: str) -> None:  # 03-21
    async with opened(strict) as client:
        await client.send({"id": 1, "connect": {"token": token(uid=name, channels=["a", "b"], **GOOD)}})
        assert await client.closed() == (3505, "channel limit")


async def test_the_second_channel_may_be_one_too_many(strict: Server, name: str) -> None:  # 03-21
    async with connected(strict, token(uid=name, **GOOD)) as client:
        await client.subscribe("a")
        assert await client.error(subscribe={"channel": "b"}) == 106
        await client.call(unsubscribe={"channel": "a"})
        await client.subscribe("b")


async def test_the_time_of_the_server_may_be_told(private_server: StartServer) -> None:  # 01-1, 01-53
    config = {
        "client": {
            "connect_include_server_time": True,
            "allow_anonymous_connect_without_token": True,
            "user_connection_limit": 1,
        }
    }
    server = private_server(config)
    async with connected(server), opened(server) as second:  # anonymous users are not counted
        result = await second.connect()
        assert abs(result["time"] - time.time() * 1000) < 5000


async def test_insecure_mode_lets_everyone_do_what_exists(private_server: StartServer) -> None:  # 03-28
    config = {
        "client": {"insecure": True},
        "channel": {
            "namespaces": [{"name": "pub", "presence": True}],
        },
    }
    server = private_server(config)
    async with connected(server, token("u1", exp=int(time.time()) + 60)) as client:
        assert "expires" not in await client.subscribe("pub:x")
    async with opened(server) as client:
        assert "expires" not in await client.connect(token=token("u1", exp=int(time.time()) + 60))
    async with connected(server) as client:
        await client.subscribe("pub:x")
        assert await client.call(publish={"channel": "pub:x", "data": {}}) == {}
        assert await client.error(subscribe={"channel": "$pub:x"}) == 103
        assert await client.error(history={"channel": "pub:x"}) == 108
        assert await client.error(subscribe={"channel": "nope:x"}) == 102
        assert client.client_id in (await client.call(presence={"channel": "pub:x"}))["presence"]


async def test_signatures_may_be_left_unchecked(private_server: StartServer) -> None:  # 03-29
    server = private_server({"client": {"insecure_skip_token_signature_verify": True}})
    async with connected(server, token("u1", secret="another")):
        pass
    async with opened(server) as client:
        expired = token("u1", secret="another", exp=int(time.time()) - 1)
        assert await client.error(connect={"token": expired}) == 109
