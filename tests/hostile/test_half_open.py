"""Connections that begin and go no further, or end in the middle (02 §14)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.hostile.memory import descriptors
from tests.hostile.raw import HANDSHAKE, PATIENCE, frame, tcp, websocket
from tests.hostile.test_commands import hello
from tests.hostile.waiting import until

if TYPE_CHECKING:
    from tests.support.server import Server

BEGINNINGS = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"G", id="a letter"),
    pytest.param(HANDSHAKE.encode()[:60], id="half a head"),
    pytest.param(
        b"POST /api/publish HTTP/1.1\r\nHost: a\r\nX-API-Key: test-api-key\r\nContent-Length: 100\r\n\r\n{", id="body"
    ),
    pytest.param(HANDSHAKE.format(query="").encode(), id="handshake only"),
    pytest.param(HANDSHAKE.format(query="").encode() + frame(hello())[:30], id="half a frame"),
    pytest.param(HANDSHAKE.format(query="").encode() + frame(hello()), id="connected"),
]


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("how", ["reset", "end of stream"])
async def test_an_abrupt_end_leaves_no_descriptor_behind(server: Server, beginning: bytes, how: str) -> None:
    before = descriptors(server)
    for _ in range(20):
        async with tcp(server) as raw:
            await raw.send(beginning)
            if how == "reset":
                raw.reset()
            else:
                raw.writer.write_eof()
                await raw.rest()

    async def back() -> bool:
        return descriptors(server) <= before

    await until(back)


async def test_who_never_connects_is_stale(server: Server) -> None:
    async with websocket(server) as raw:
        assert (await raw.ending()).code == 3502


async def test_half_a_frame_does_not_keep_a_connection_from_being_stale(server: Server) -> None:
    async with websocket(server) as raw:
        await raw.send(frame(hello())[:30])
        close_frame = await asyncio.wait_for(raw.reader.readuntil(b"stale"), PATIENCE)
        assert close_frame == b"\x88\x07" + (3502).to_bytes(2, "big") + b"stale"


async def test_hundreds_of_half_open_connections_keep_nobody_out(server: Server) -> None:
    waiting = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(300)]
    for number, (_, writer) in enumerate(waiting):
        writer.write(HANDSHAKE.encode()[: number % 100])
    async with websocket(server) as raw:
        await raw.send(frame(hello()))
        await asyncio.wait_for(raw.reader.readuntil(b'"connect"'), PATIENCE)
    for _, writer in waiting:
        writer.transport.abort()
