"""Clients that do not read (02 §14): they end with 3008 or 3009, and nobody else notices."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.hostile.raw import PATIENCE, frame, websocket
from tests.hostile.test_commands import hello
from tests.hostile.waiting import until
from tests.support.tokens import token
from tests.support.wire_client import connected

if TYPE_CHECKING:
    from tests.hostile.raw import RawSocket
    from tests.support.server import Server

WINDOW = 4096
COUNT = 150
PIECE = "x" * 60_000


async def stop_reading(raw: RawSocket, channel: str) -> None:
    """Subscribe, then read nothing more."""
    await raw.send(frame(hello("deaf")) + frame(b'{"id":2,"subscribe":{"channel":"%s"}}' % channel.encode()))
    await asyncio.wait_for(raw.reader.readuntil(b'"subscribe":{}}'), PATIENCE)
    raw.stop_reading()


async def until_alone(server: Server, channel: str, others: int) -> None:
    """Wait until nobody but `others` is in the channel."""

    async def alone() -> bool:
        return (await server.api("presence_stats", {"channel": channel}))["num_clients"] <= others

    await until(alone)


@pytest.mark.parametrize("pause", [pytest.param(0.0, id="fast-publisher"), pytest.param(0.01, id="slow-publisher")])
async def test_who_does_not_read_is_closed_and_the_others_get_everything_in_order(
    server: Server, name: str, pause: float
) -> None:
    async with AsyncExitStack() as stack:
        deaf = [await stack.enter_async_context(websocket(server, window=WINDOW)) for _ in range(5)]
        for raw in deaf:
            await stop_reading(raw, name)
        readers = [await stack.enter_async_context(connected(server, token(f"r{n}"))) for n in range(3)]
        for reader in readers:
            await reader.subscribe(name)
        publisher = readers[0]
        for number in range(COUNT):
            await publisher.call(publish={"channel": name, "data": f"{number} {PIECE}"})
            await asyncio.sleep(pause)
        await until_alone(server, name, len(readers))
        for reader in readers:
            got = [int((await reader.publication())["data"].split()[0]) for _ in range(COUNT)]
            assert got == list(range(len(got)))
        for raw in deaf:
            raw.read_again()
            # 3012 where publishing takes until the pong is due.
            assert (await raw.ending()).code in {3008, 3012, None}


async def test_who_reads_just_in_time_stays(server: Server, name: str) -> None:
    async with websocket(server, window=WINDOW) as raw, connected(server, token("publisher")) as publisher:
        await stop_reading(raw, name)
        await publisher.subscribe(name)
        for number in range(10):
            await publisher.call(publish={"channel": name, "data": f"{number} {PIECE}"})
        raw.read_again()
        received = b""
        while b"9 xxx" not in received:
            received += await asyncio.wait_for(raw.reader.read(65536), PATIENCE)
        await publisher.call(publish={"channel": name, "data": "last"})
        await asyncio.wait_for(raw.reader.readuntil(b"last"), PATIENCE)


async def test_who_asks_without_reading_the_answers_is_closed(server: Server, name: str) -> None:
    async with connected(server, token("publisher")) as publisher, websocket(server, window=WINDOW) as raw:
        await publisher.subscribe(name)
        for number in range(5):
            await publisher.call(publish={"channel": name, "data": f"{number} {PIECE}"})
        await stop_reading(raw, name)
        ask = frame(b'{"id":3,"history":{"channel":"%s","limit":10}}' % name.encode())
        for _ in range(100):
            raw.writer.write(ask)
        await until_alone(server, name, 1)
        raw.read_again()
        assert (await raw.ending()).code in {3008, None}


async def test_who_answers_no_ping_is_closed_with_3012(server: Server) -> None:
    async with websocket(server) as raw:
        await raw.send(frame(hello("dead")))
        assert (await raw.ending()).code == 3012


async def test_who_does_not_close_in_turn_is_cut_off(server: Server) -> None:
    async with websocket(server) as raw:
        await raw.send(frame(hello("rude")) + frame(b'{"id":3,"send":{}}'))
        async with asyncio.timeout(7):
            assert b"not available" in await raw.rest()
