"""Thousands of connections come and go in every way there is: the server's memory returns to its level."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from tests.hostile.memory import descriptors, resident
from tests.hostile.raw import HANDSHAKE, PATIENCE, frame, tcp
from tests.hostile.test_commands import hello
from tests.hostile.waiting import until

if TYPE_CHECKING:
    from tests.hostile.raw import RawSocket
    from tests.support.server import Server

BATCH = 100
ROUNDS = 100
SUBSCRIBE = frame(b'{"id":2,"subscribe":{"channel":"storm"}}')


async def reset_before_the_handshake(raw: RawSocket) -> None:
    await raw.send(HANDSHAKE.format(query="").encode())
    raw.reset()


async def reset_while_connecting(raw: RawSocket) -> None:
    await raw.shake_hands()
    await raw.send(frame(hello("storm")) + SUBSCRIBE)
    raw.reset()


async def reset_when_subscribed(raw: RawSocket) -> None:
    await raw.shake_hands()
    await raw.send(frame(hello("storm")) + SUBSCRIBE)
    await asyncio.wait_for(raw.reader.readuntil(b'"subscribe"'), PATIENCE)
    raw.reset()


async def close_properly(raw: RawSocket) -> None:
    await raw.shake_hands()
    await raw.send(frame(hello("storm")) + SUBSCRIBE + frame(b"\x03\xe8", opcode=0x8))
    await raw.rest()


async def be_closed(raw: RawSocket) -> None:
    await raw.shake_hands()
    await raw.send(frame(hello("storm")) + SUBSCRIBE + frame(b"[]"))
    assert (await raw.ending()).code == 3501


async def be_refused(raw: RawSocket) -> None:
    await raw.shake_hands()
    await raw.send(frame(b'{"id":1,"connect":{"token":"x.y.z"}}'))
    assert (await raw.ending()).code == 3500


WAYS = (
    reset_before_the_handshake,
    reset_while_connecting,
    reset_when_subscribed,
    close_properly,
    be_closed,
    be_refused,
)


async def storm(server: Server, rounds: int) -> None:
    ways = itertools.cycle(WAYS)

    async def one() -> None:
        way = next(ways)
        async with tcp(server) as raw:
            await way(raw)

    for _ in range(rounds):
        await asyncio.gather(*(one() for _ in range(BATCH)))


async def test_memory_returns_to_its_level(server: Server) -> None:
    await storm(server, ROUNDS // 5)
    await until_empty(server)
    files, memory = descriptors(server), resident(server)
    await storm(server, ROUNDS)
    await until_empty(server)

    async def back() -> bool:
        return descriptors(server) <= files

    await until(back)
    assert resident(server) - memory < 6e6, "a connection kept would be 3 KB"


async def until_empty(server: Server) -> None:
    async def empty() -> bool:
        return "storm" not in (await server.api("channels", {"pattern": "storm"}))["channels"]

    await until(empty)
