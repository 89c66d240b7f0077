"""Joins and leaves: who causes them, who sees them, when (01 §9, 03 §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.server import ApiError
from tests.support.tokens import token
from tests.support.wire_client import WireClient, connected

if TYPE_CHECKING:
    from tests.support.server import Server

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]


def event(push: dict[str, Any]) -> tuple[str, str]:
    """Kind of a push, and the connection it is about."""
    (kind,) = push.keys() - {"channel", "id"}
    return kind, push[kind]["info"]["client"]


def about(kind: str, client: WireClient) -> tuple[str, str]:
    return kind, client.client_id


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_subscriber_sees_its_own_join_and_those_of_others(  # 01-41
    server: Server, name: str, is_protobuf: bool
) -> None:
    channel = f"joins:{name}"
    async with connected(server, is_protobuf=is_protobuf) as first:
        await first.send({"id": 9, "subscribe": {"channel": channel}})
        assert (await first.receive())["id"] == 9
        assert event(await first.push()) == about("join", first)
        async with connected(server, is_protobuf=is_protobuf) as second:
            await second.subscribe(channel)
            assert event(await first.push()) == about("join", second)
            assert event(await second.push()) == about("join", second)
            await second.call(unsubscribe={"channel": channel})
            assert await second.pushes_so_far() == []
            assert event(await first.push()) == about("leave", second)
            await second.subscribe(channel)
            assert event(await first.push()) == about("join", second)
        assert event(await first.push()) == about("leave", second)


async def test_a_leave_after_an_abrupt_end(server: Server, name: str) -> None:  # 01-41
    channel = f"joins:{name}"
    async with connected(server) as first, connected(server, token("u2", info={"n": 2})) as second:
        await first.subscribe(channel)
        await second.subscribe(channel)
        second.socket.transport.abort()
        pushes = [await first.push() for _ in range(3)]
        assert [event(push) for push in pushes] == [
            about("join", first),
            about("join", second),
            about("leave", second),
        ]
        info = {"user": "u2", "client": second.client_id, "conn_info": {"n": 2}}
        assert pushes[2] == {"channel": channel, "leave": {"info": info}}


@pytest.mark.parametrize(
    ("namespace", "wish", "seen"),
    [
        pytest.param("joins", {}, True, id="03-27-forced"),
        pytest.param("asks", {"join_leave": True}, True, id="03-27-asked-and-allowed"),
        pytest.param("asks", {}, False, id="not-asked"),
        pytest.param("denied", {"join_leave": True}, False, id="03-27-asked-and-not-allowed"),
        pytest.param("rec", {"join_leave": True}, False, id="nothing-emitted"),
    ],
)
async def test_pushes_need_the_right_to_them(
    server: Server, name: str, namespace: str, wish: dict[str, bool], seen: bool
) -> None:
    channel = f"{namespace}:{name}"
    async with connected(server, token("u1")) as client, connected(server) as other:  # 01-41
        await client.subscribe(channel, **wish)
        await other.subscribe(channel)
        await other.call(unsubscribe={"channel": channel})
        events = [event(push) for push in await client.pushes_so_far()]
        expected = [about("join", client), about("join", other), about("leave", other)]
        assert events == (expected if seen else [])


@pytest.mark.parametrize("namespace", ["joins", "asks"])
async def test_what_is_no_json_closes_all_json_subscribers(server: Server, name: str, namespace: str) -> None:
    """01 §2.2: whether they would have got the push or not."""
    channel = f"{namespace}:{name}"
    no_json = token("u2", b64info="//4A")
    async with connected(server) as client, connected(server, is_protobuf=True) as binary:
        await client.subscribe(channel)
        await binary.subscribe(channel)
        async with connected(server, no_json, is_protobuf=True) as other:
            await other.subscribe(channel)
            assert await client.closed() == (3506, "inappropriate protocol")
        assert await binary.error(presence={"channel": "nosuchns:x"}) == 102  # still there


async def test_no_join_where_the_subscriber_could_not_be_told(server: Server, name: str) -> None:
    channel = f"joins:{name}"
    async with connected(server) as client, connected(server, token(name)) as other:
        await client.subscribe(channel)
        subscribe = {"user": name, "channel": channel, "b64data": "//4A"}
        with pytest.raises(ApiError, match="internal server error"):
            await server.api("subscribe", subscribe)
        await other.call(unsubscribe={"channel": channel})
        assert [event(await client.push()) for _ in range(2)] == [about("join", client), about("leave", other)]
