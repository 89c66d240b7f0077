"""Event handlers in the same process, from a client's view."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

import fanjet
from tests.embed.servers import connected, make_server, opened

if TYPE_CHECKING:
    from collections.abc import Coroutine


def admitting(server: fanjet.Server, user: str = "u") -> None:
    """Let all clients connect as one user."""

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
        return fanjet.ConnectReply(user=user)


async def test_connect_gives_an_identity_data_and_server_side_subscriptions() -> None:
    server = make_server()
    seen: list[fanjet.ConnectEvent] = []

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
        seen.append(event)
        return fanjet.ConnectReply(
            user="42",
            data={"hello": "Ann"},
            info={"name": "Ann"},
            channels=["news:a"],
            subs={"chat:b": fanjet.ChannelGrant(data=b'{"raw":1}')},
        )

    async with server, opened(server) as client:
        result = await client.connect(data={"key": "k"}, name="js", version="1")
        assert result["data"] == {"hello": "Ann"}
        assert set(result["subs"]) == {"news:a", "chat:b"}
        assert result["subs"]["chat:b"]["data"] == {"raw": 1}
        (info,) = (await server.api.presence("chat:b")).values()
    assert info.user == "42"
    assert info.conn_info is not None
    assert info.conn_info.json() == {"name": "Ann"}
    assert seen[0].json() == {"key": "k"}
    assert (seen[0].name, seen[0].version, seen[0].transport) == ("js", "1", "websocket")


async def test_a_connect_handler_that_returns_none_leaves_the_client_anonymous() -> None:
    server = make_server()

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> None:
        return None

    async with server, opened(server) as client:
        await client.send({"id": 1, "connect": {}})
        assert await client.closed() == (3501, "bad request")


@pytest.mark.parametrize(
    ("refusal", "reply"),
    [
        pytest.param(fanjet.ClientError(4100, "full"), {"code": 4100, "message": "full"}, id="error"),
        pytest.param(
            fanjet.ClientError(4100, "full", temporary=True),
            {"code": 4100, "message": "full", "temporary": True},
            id="temporary",
        ),
        pytest.param(fanjet.PermissionDenied(), {"code": 103, "message": "permission denied"}, id="denied"),
    ],
)
async def test_a_subscription_is_refused_with_what_the_handler_raises(
    refusal: fanjet.ClientError, reply: dict[str, Any]
) -> None:
    server = make_server()
    admitting(server)

    @server.on_subscribe("chat")
    async def subscribe(event: fanjet.SubscribeEvent) -> None:
        raise refusal

    async with server, connected(server) as client:
        assert (await client.call(subscribe={"channel": "chat:x"}))["error"] == reply
        await client.subscribe("news:x")


async def test_a_handler_can_end_the_connection() -> None:
    server = make_server()

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> None:
        raise fanjet.DisconnectClient(4501, "banned")

    async with server, opened(server) as client:
        await client.send({"id": 1, "connect": {}})
        assert await client.closed() == (4501, "banned")


async def test_publications_pass_a_handler_which_may_change_them() -> None:
    server = make_server()
    admitting(server)

    @server.on_subscribe("chat")
    async def subscribe(event: fanjet.SubscribeEvent) -> fanjet.SubscribeReply:
        return fanjet.SubscribeReply(data={"room": event.channel})

    @server.on_publish("chat")
    async def publish(event: fanjet.PublishEvent) -> fanjet.PublishReply:
        return fanjet.PublishReply(data={"text": event.json()["text"].upper(), "from": event.user}, tags={"a": "b"})

    async with server, connected(server) as client:
        assert (await client.subscribe("chat:x"))["data"] == {"room": "chat:x"}
        await client.call(publish={"channel": "chat:x", "data": {"text": "hi"}})
        publication = await client.publication()
        assert publication["data"] == {"text": "HI", "from": "u"}
        assert publication["tags"] == {"a": "b"}
        history = await server.api.history("chat:x", limit=10)
    assert [one.data.json() for one in history.publications if one.data] == [{"text": "HI", "from": "u"}]


async def test_none_allows_and_changes_nothing() -> None:
    server = make_server()
    admitting(server)

    @server.on_subscribe
    async def subscribe(event: fanjet.SubscribeEvent) -> None:
        return None

    @server.on_publish
    async def publish(event: fanjet.PublishEvent) -> None:
        return None

    async with server, connected(server) as client:
        for channel in ("chat:x", "news:x", "plain"):
            await client.subscribe(channel)
            await client.call(publish={"channel": channel, "data": {"to": channel}})
            assert (await client.publication())["data"] == {"to": channel}


async def test_the_handler_of_a_namespace_goes_before_the_one_for_all() -> None:
    server = make_server()
    admitting(server)

    def answering(who: str) -> Any:
        async def subscribe(event: fanjet.SubscribeEvent) -> fanjet.SubscribeReply:
            return fanjet.SubscribeReply(data=who)

        return subscribe

    server.on_subscribe("chat")(answering("chat"))
    server.on_subscribe("")(answering("none"))
    server.on_subscribe(answering("all"))
    async with server, connected(server) as client:
        assert (await client.subscribe("chat:x"))["data"] == "chat"
        assert (await client.subscribe("x"))["data"] == "none"
        assert (await client.subscribe("news:x"))["data"] == "all"


async def test_rpc_methods_have_handlers_of_their_own() -> None:
    server = make_server()
    admitting(server)

    @server.rpc("double")
    async def double(event: fanjet.RPCEvent) -> int:
        return int(event.json()) * 2

    @server.rpc("nothing")
    async def nothing(event: fanjet.RPCEvent) -> None:
        return None

    async with server, connected(server) as client:
        assert await client.call(rpc={"method": "double", "data": 21}) == {"data": 42}
        assert await client.call(rpc={"method": "nothing"}) == {}
        assert await client.error(rpc={"method": "other"}) == 104


async def test_on_rpc_answers_what_no_other_handler_does() -> None:
    server = make_server()
    admitting(server)

    @server.on_rpc
    async def any_method(event: fanjet.RPCEvent) -> str:
        return event.method

    @server.rpc("known")
    async def known(event: fanjet.RPCEvent) -> bytes:
        return b'"bytes"'

    async with server, connected(server) as client:
        assert await client.call(rpc={"method": "x"}) == {"data": "x"}
        assert await client.call(rpc={"method": "known"}) == {"data": "bytes"}


async def test_messages_and_disconnects_reach_handlers() -> None:
    server = make_server()
    admitting(server)
    told: asyncio.Queue[Any] = asyncio.Queue()

    @server.on_message
    async def message(event: fanjet.MessageEvent) -> None:
        told.put_nowait(event.json())
        raise fanjet.ClientError(1000, "there is no reply to put this in")

    @server.on_disconnect
    async def disconnect(event: fanjet.DisconnectEvent) -> None:
        told.put_nowait((event.user, event.code, event.reason))

    async with server:
        async with connected(server) as client:
            await client.send({"send": {"data": {"typing": True}}})
            assert await asyncio.wait_for(told.get(), 5) == {"typing": True}
            assert await client.call(rpc={"method": "x"}) == {"error": {"code": 108, "message": "not available"}}
        assert await asyncio.wait_for(told.get(), 5) == ("u", 3000, "connection closed")
        async with connected(server):
            pass
        await asyncio.wait_for(told.get(), 5)
        async with connected(server):
            await server.api.disconnect("u", code=4000, reason="moved")
            assert await asyncio.wait_for(told.get(), 5) == ("u", 4000, "moved")


async def test_messages_without_handler_end_the_connection() -> None:
    server = make_server()
    admitting(server)
    async with server, connected(server) as client:
        await client.send({"send": {"data": {}}})
        assert await client.closed() == (3508, "not available")


async def test_handlers_refresh_connections_and_subscriptions() -> None:
    server = make_server()
    asked: asyncio.Queue[str] = asyncio.Queue()

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
        return fanjet.ConnectReply(user="u", expire_at=int(time.time()) + 1)

    @server.on_refresh
    async def refresh(event: fanjet.RefreshEvent) -> fanjet.RefreshReply | None:
        asked.put_nowait("connection")
        return fanjet.RefreshReply(expire_at=int(time.time()) + 1) if asked.qsize() < 2 else None

    async with server, connected(server) as client:
        assert await client.closed() == (3005, "connection expired")
    assert asked.qsize() == 2


async def test_a_handler_that_fails_is_an_internal_error_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    server = make_server()
    admitting(server)

    @server.rpc("broken")
    async def broken(event: fanjet.RPCEvent) -> None:
        raise RuntimeError("out of paper")

    async with server, connected(server) as client:
        with caplog.at_level(logging.ERROR):
            assert await client.error(rpc={"method": "broken"}) == 100
        assert await client.error(rpc={"method": "other"}) == 104
    failures = [record for record in caplog.records if record.exc_info]
    assert len(failures) == 1
    assert "out of paper" in caplog.text


@pytest.mark.parametrize("returned", [{"user": "x"}, fanjet.SubscribeReply(), fanjet.ConnectReply(data=object())])
async def test_what_a_handler_may_not_return_is_an_internal_error(
    returned: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server()

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> Any:
        return returned

    async with server, opened(server) as client:
        assert await client.error(connect={}) == 100
    assert not any(record.exc_info for record in caplog.records)


async def test_invalid_json_is_a_bad_request() -> None:
    server = make_server()
    admitting(server)

    @server.rpc("read")
    async def read(event: fanjet.RPCEvent) -> Any:
        return event.json()

    async with server, opened(server, is_protobuf=True) as client:
        await client.connect()
        assert await client.error(rpc={"method": "read", "data": b"\xff"}) == 107


async def test_a_slow_handler_does_not_delay_others() -> None:
    server = make_server()
    admitting(server)
    gate = asyncio.Event()

    @server.rpc("wait")
    async def wait(event: fanjet.RPCEvent) -> str:
        await gate.wait()
        return "done"

    @server.rpc("now")
    async def now(event: fanjet.RPCEvent) -> str:
        return "now"

    async with server, connected(server) as slow, connected(server) as quick:
        waiting = asyncio.create_task(slow.call(rpc={"method": "wait"}))
        assert await quick.call(rpc={"method": "now"}) == {"data": "now"}
        assert not waiting.done()
        gate.set()
        assert await waiting == {"data": "done"}


async def test_handlers_may_use_what_needs_a_task() -> None:
    server = make_server()
    admitting(server)

    @server.rpc("patient")
    async def patient(event: fanjet.RPCEvent) -> str:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
            return "in time"

    async with server, connected(server) as client:
        assert await client.call(rpc={"method": "patient"}) == {"data": "in time"}


async def test_headers_are_shown_that_were_asked_for() -> None:
    server = make_server(headers=["Cookie"], emulated_headers=["X-Key"])
    seen: list[fanjet.ConnectEvent] = []

    @server.on_connect
    async def connect(event: fanjet.ConnectEvent) -> fanjet.ConnectReply:
        seen.append(event)
        return fanjet.ConnectReply()

    async with server, opened(server, headers={"Cookie": "a=b", "X-Other": "c"}) as client:
        await client.connect(headers={"X-Key": "k", "X-Other": "c"})
    assert seen[0].headers == {"cookie": ["a=b"]}
    assert seen[0].emulated_headers == {"x-key": "k"}


def test_plain_functions_are_refused() -> None:
    server = make_server()

    def plain(event: fanjet.ConnectEvent) -> Coroutine[Any, Any, None]:
        raise AssertionError

    with pytest.raises(TypeError, match=r"plain, which is to handle connect, must be an async function"):
        server.on_connect(plain)


def test_objects_with_an_async_call_are_handlers() -> None:
    class Handler:
        async def __call__(self, event: fanjet.ConnectEvent) -> None:
            return None

    make_server().on_connect(Handler())


def test_an_event_of_a_namespace_has_one_handler() -> None:
    server = make_server()

    async def handler(event: Any) -> None:
        return None

    server.on_subscribe("chat")(handler)
    server.on_connect(handler)
    with pytest.raises(ValueError, match="a handler for subscribe 'chat' already"):
        server.on_subscribe("chat")(handler)
    with pytest.raises(ValueError, match="a handler for connect already"):
        server.on_connect(handler)


async def test_a_handler_of_an_unknown_namespace_fails_the_start() -> None:
    server = make_server()

    @server.on_publish("chats")
    async def publish(event: fanjet.PublishEvent) -> None:
        return None

    with pytest.raises(fanjet.ConfigError, match="publish names the namespace 'chats', which is not configured"):
        await server.start()
