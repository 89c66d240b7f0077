"""Which channels a client may have is the backend's to say (06 §7)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.events.proxy.configs import proxied
from tests.support.backend import Held, status
from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.conftest import StartServer
    from tests.support.backend import Backend
    from tests.support.server import Server


def in_seconds(seconds: int) -> int:
    return int(time.time()) + seconds


async def test_the_backend_is_told_who_wants_what(server: Server, backend: Backend, name: str) -> None:  # 06-15
    backend.on("subscribe", {"result": {"data": {"k": 1}}})
    async with connected(server, token("7")) as client:
        assert await client.subscribe(f"asked:{name}", data={"from": "client"}) == {"data": {"k": 1}}
    assert backend.asked("subscribe") == [
        {
            "client": client.client_id,
            "transport": "websocket",
            "protocol": "json",
            "encoding": "json",
            "user": "7",
            "channel": f"asked:{name}",
            "data": {"from": "client"},
        }
    ]


async def test_anonymous_users_have_an_empty_name(server: Server, backend: Backend, name: str) -> None:  # 06-15
    backend.on("connect", {"result": {}})
    async with opened(server) as client:
        await client.connect()
        await client.subscribe(f"asked:{name}")
    assert backend.asked("subscribe")[0]["user"] == ""


async def test_the_backend_may_refuse(server: Server, backend: Backend, name: str) -> None:  # 06-15
    backend.on("subscribe", {"error": {"code": 403, "message": "d"}})
    async with connected(server, token("7")) as client:
        reply = await client.call(subscribe={"channel": f"asked:{name}"})
        assert reply["error"] == {"code": 403, "message": "d"}
        backend.on("subscribe", {})
        await client.subscribe(f"asked:{name}")


async def test_tokens_and_names_in_the_channel_make_it_needless(  # 06-15
    server: Server, backend: Backend, name: str
) -> None:
    async with connected(server, token("7")) as client:
        await client.subscribe(f"asked:{name}", token=token("7", channel=f"asked:{name}"))
        await client.subscribe(f"asked:{name}#7")
        assert await client.error(subscribe={"channel": f"asked:{name}#8"}) == 103
    assert backend.requests == []


@pytest.mark.parametrize(
    ("channel", "code"), [("zz:x", 102), ("asked:ü", 107), ("$asked:x", 103), ("asked:" + "x" * 300, 107)]
)
async def test_what_is_wrong_anyway_is_not_asked_about(
    server: Server, backend: Backend, channel: str, code: int
) -> None:
    async with connected(server, token("7")) as client:
        assert await client.error(subscribe={"channel": channel}) == code
    assert backend.requests == []


async def test_a_namespace_option_may_be_overridden(server: Server, backend: Backend, name: str) -> None:  # 06-16
    backend.on("subscribe", {"result": {"override": {"force_recovery": {"value": True}}}})
    async with connected(server, token("7")) as client:
        assert (await client.subscribe(f"asked:{name}"))["recoverable"] is True


async def test_wishes_of_the_client_count_for_nothing(server: Server, backend: Backend, name: str) -> None:
    async with connected(server, token("7")) as client:
        assert await client.subscribe(f"asked:{name}", recoverable=True, positioned=True, join_leave=True) == {}
    assert len(backend.asked("subscribe")) == 1


async def test_info_is_seen_in_presence(server: Server, backend: Backend, name: str) -> None:
    backend.on("subscribe", {"result": {"info": {"i": 1}, "b64info": "WzNd"}})
    async with connected(server, token("7")) as client:
        await client.subscribe(f"asked:{name}")
        presence = await client.call(presence={"channel": f"asked:{name}"})
    assert [entry["chan_info"] for entry in presence["presence"].values()] == [[3]]


async def test_what_is_allowed_in_the_channel_counts(server: Server, backend: Backend, name: str) -> None:
    async with connected(server, token("7")) as client:
        await client.subscribe(f"own:{name}")
        assert await client.error(publish={"channel": f"own:{name}", "data": 1}) == 103
        await client.call(unsubscribe={"channel": f"own:{name}"})
        backend.on("subscribe", {"result": {"allow": ["pub"]}})
        await client.subscribe(f"own:{name}")
        assert await client.call(publish={"channel": f"own:{name}", "data": 1}) == {}


async def test_the_backend_may_filter(server: Server, backend: Backend, name: str) -> None:
    backend.on("subscribe", {"result": {"server_tags_filter": {"cmp": "eq", "key": "for", "val": "7"}}})
    async with connected(server, token("7")) as client:
        await client.subscribe(f"asked:{name}")
        for user in ("8", "7"):
            await server.api("publish", {"channel": f"asked:{name}", "data": user, "tags": {"for": user}})
        assert (await client.publication())["data"] == "7"


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ({"expire_at": 5}, 110),
        ({"b64info": "*"}, 100),
        ({"b64data": "*"}, 100),
        ({"server_tags_filter": {"cmp": "zz"}}, 100),
    ],
)
async def test_results_that_cannot_be_used(
    server: Server, backend: Backend, name: str, result: dict[str, Any], code: int
) -> None:
    backend.on("subscribe", {"result": result})
    async with connected(server, token("7")) as client:
        assert await client.error(subscribe={"channel": f"asked:{name}"}) == code
        assert await client.error(subscribe={"channel": f"asked:{name}"}) == code  # and not 105


async def test_two_attempts_at_once_are_one_too_many(
    shared_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = shared_server(
        proxied(base, {"client": {"concurrency": 8}, "channel": {"proxy": {"subscribe": {"timeout": "20s"}}}})
    )
    held = Held({})
    backend.on("subscribe", held)
    async with connected(server, token("7")) as client:
        await client.send({"id": 5, "subscribe": {"channel": f"asked:{name}"}})
        await backend.wait_for("subscribe")
        await client.send({"id": 6, "subscribe": {"channel": f"asked:{name}"}})
        assert (await client.receive())["error"]["code"] == 105
        await client.send({"id": 7, "unsubscribe": {"channel": f"asked:{name}"}})
        held.released.set()
        assert [(await client.receive())["id"] for _ in range(2)] == [5, 7]
    assert len(backend.asked("subscribe")) == 1
    assert (await server.api("presence", {"channel": f"asked:{name}"}))["presence"] == {}


async def test_who_leaves_while_the_backend_thinks_is_not_subscribed(
    shared_server: StartServer, base: str, backend: Backend, name: str
) -> None:
    server = shared_server(proxied(base, {"channel": {"proxy": {"subscribe": {"timeout": "20s"}}}}))
    held = Held({})
    backend.on("subscribe", held)
    async with connected(server, token(name)) as client:
        await client.send({"id": 5, "subscribe": {"channel": f"asked:{name}"}})
        await backend.wait_for("subscribe")
        await server.api("disconnect", {"user": name})
        held.released.set()
        assert await client.closed() == (3503, "force disconnect")
    assert (await server.api("presence", {"channel": f"asked:{name}"}))["presence"] == {}
    assert (await server.api("channels", {"pattern": f"asked:{name}"}))["channels"] == {}


async def test_an_expiry_is_the_clients_to_prolong(server: Server, backend: Backend, name: str) -> None:  # 06-17
    backend.on("subscribe", {"result": {"expire_at": in_seconds(2)}})
    async with connected(server, token("7")) as client:
        result = await client.subscribe(f"asked:{name}")
        assert result["expires"] is True
        assert (await client.push())["unsubscribe"]["code"] == 2501


# ------------------------------------------------------------------------------------------------ sub_refresh


async def expiring(backend: Backend, **result: Any) -> None:
    backend.on("subscribe", {"result": {"expire_at": in_seconds(2), "info": {"old": 1}, **result}})


async def test_where_the_backend_prolongs_the_client_knows_nothing(  # 06-17
    server: Server, backend: Backend, name: str
) -> None:
    await expiring(backend)
    backend.on("sub_refresh", {"result": {"expire_at": in_seconds(1000), "info": {"new": 1}}})
    async with connected(server, token("7")) as client:
        assert await client.subscribe(f"brief:{name}") == {}
        body = await backend.wait_for("sub_refresh")
        await asyncio.sleep(1)
        assert client.nothing_waits()
    assert (body["user"], body["channel"]) == ("7", f"brief:{name}")
    assert len(backend.asked("sub_refresh")) == 1


async def test_a_prolonged_subscription_has_a_new_info(server: Server, backend: Backend, name: str) -> None:
    await expiring(backend)
    backend.on("sub_refresh", {"result": {"info": {"new": 1}}, "error": {"code": 1, "message": "counts for nothing"}})
    async with connected(server, token("7")) as client:
        await client.subscribe(f"brief:{name}")
        await backend.wait_for("sub_refresh")
        await asyncio.sleep(1)  # the next tick enters it into presence
        presence = await server.api("presence", {"channel": f"brief:{name}"})
    assert [entry["chan_info"] for entry in presence["presence"].values()] == [{"new": 1}]
    assert len(backend.asked("sub_refresh")) == 1  # without expiry there is no next time


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="no-result"),
        pytest.param({"result": {"expired": True}}, id="expired"),
        pytest.param({"result": {"expire_at": 5}}, id="past"),
        pytest.param({"error": {"code": 1}}, id="error"),
        pytest.param({"disconnect": {"code": 4600}}, id="disconnect"),
        pytest.param({"result": {"b64info": "*"}}, id="bad-base64"),
    ],
)
async def test_a_subscription_that_is_not_prolonged_ends(  # 06-17
    server: Server, backend: Backend, name: str, answer: dict[str, Any]
) -> None:
    await expiring(backend)
    backend.on("sub_refresh", answer)
    async with connected(server, token("7")) as client:
        await client.subscribe(f"brief:{name}")
        push = await client.push()
    assert push["unsubscribe"] == {"code": 2501, "reason": "subscription expired"}


async def test_a_server_side_subscription_ends_with_its_connection(  # 06-17
    server: Server, backend: Backend, name: str
) -> None:
    backend.on("sub_refresh", {"result": {"expired": True}})
    async with connected(server, token(name)) as client:
        await server.api("subscribe", {"user": name, "channel": f"brief:{name}", "expire_at": in_seconds(2)})
        assert await client.closed() == (3006, "subscription expired")
    assert len(backend.asked("sub_refresh")) == 1


async def test_a_backend_that_fails_ends_nothing(server: Server, backend: Backend, name: str) -> None:
    await expiring(backend)
    backend.on("sub_refresh", status(500))
    async with connected(server, token("7")) as client:
        await client.subscribe(f"brief:{name}")
        await backend.wait_for("sub_refresh")
        await asyncio.sleep(1)
        assert client.nothing_waits()
    assert len(backend.asked("sub_refresh")) == 1  # a minute until the next


async def test_the_client_has_no_business_to_prolong(server: Server, backend: Backend, name: str) -> None:
    async with connected(server, token("7")) as client:
        channel = f"brief:{name}"
        await client.subscribe(channel, token=token("7", channel=channel, exp=in_seconds(100)))
        await client.send({"id": 9, "sub_refresh": {"channel": channel, "token": token("7", channel=channel)}})
        assert await client.closed() == (3501, "bad request")
