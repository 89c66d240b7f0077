"""Numbers in place of channel names in pushes (01 §12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.tokens import token
from tests.support.wire_client import connected, opened

if TYPE_CHECKING:
    from tests.support.server import Server
    from tests.support.wire_client import WireClient

ENCODINGS = [pytest.param(False, id="json"), pytest.param(True, id="protobuf")]


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_a_number_stands_for_the_channel(server: Server, name: str, is_protobuf: bool) -> None:
    channel = f"compact:{name}"
    async with (
        connected(server, is_protobuf=is_protobuf) as first,
        connected(server, is_protobuf=is_protobuf) as second,
        connected(server, is_protobuf=is_protobuf) as plain,
    ):
        number = (await first.subscribe(channel, flag=1))["id"]
        assert number > 0  # fix 11
        assert await first.push() == {"id": number, "join": {"info": info(first)}}
        assert (await second.subscribe(channel, flag=3))["id"] == number
        assert "id" not in await plain.subscribe(channel)
        for client in (first, second, plain):
            await client.pushes_so_far()

        await server.api("publish", {"channel": channel, "data": 1})
        for client in (first, second):
            push = await client.push()
            assert push.keys() == {"id", "pub"}
            assert push["id"] == number
        assert (await plain.push())["channel"] == channel

        await plain.call(unsubscribe={"channel": channel})
        assert (await first.push()).keys() == {"id", "leave"}


def info(client: WireClient) -> dict[str, str]:
    """What a join says of an anonymous client: in Protobuf, an empty user is not written."""
    return {"client": client.client_id} if client.is_protobuf else {"user": "", "client": client.client_id}


async def test_channels_have_numbers_of_their_own(server: Server, name: str) -> None:
    async with connected(server) as client:
        numbers = [(await client.subscribe(f"compact:{name}-{each}", flag=1))["id"] for each in range(100)]
        assert len(set(numbers)) == 100
        assert min(numbers) > 0
        await client.call(unsubscribe={"channel": f"compact:{name}-7"})
        assert (await client.subscribe(f"compact:{name}-7", flag=1))["id"] == numbers[7]  # kept for a while


async def test_other_pushes_carry_the_name(server: Server, name: str) -> None:
    channel = f"compact:{name}"
    async with connected(server, token(name)) as client:
        await client.subscribe(channel, flag=1)
        await client.pushes_so_far()
        await server.api("unsubscribe", {"user": name, "channel": channel})
        push = await client.push()
        assert push == {"channel": channel, "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}}


async def test_subscriptions_of_the_server_have_no_number(server: Server, name: str) -> None:
    channel = f"compact:{name}"
    async with opened(server) as client:
        result = await client.connect(token=token(name, channels=[channel]), subs={channel: {"flag": 1}})
        assert "id" not in result["subs"][channel]
        await server.api("publish", {"channel": channel, "data": 1})
        pushes = await client.pushes_so_far()
        assert {push.get("channel") for push in pushes} == {channel}


@pytest.mark.parametrize("is_protobuf", ENCODINGS)
async def test_recovery_goes_together_with_numbers(server: Server, name: str, is_protobuf: bool) -> None:
    channel = f"compact:{name}"
    position = await server.api("publish", {"channel": channel, "data": 1})
    async with connected(server, is_protobuf=is_protobuf) as client:
        result = await client.subscribe(channel, flag=1, recover=True, epoch=position["epoch"])
        assert result["id"] > 0
        assert [publication["offset"] for publication in result["publications"]] == [1]
