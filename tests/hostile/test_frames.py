"""Bytes that are no WebSocket, or a broken one (02 §6.4, §6.5)."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.memory import resident
from tests.hostile.raw import frame, noise, websocket
from tests.support.tokens import token

if TYPE_CHECKING:
    from tests.hostile.conftest import Bystander
    from tests.support.server import Server

LIMIT = 65536
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

BROKEN = [
    pytest.param(b"\x81\x02{}", 1002, id="unmasked"),
    pytest.param(frame(b"{}", rsv=1), 1002, id="rsv1"),
    pytest.param(frame(b"{}", rsv=4), 1002, id="rsv3"),
    pytest.param(frame(b"{}", opcode=0x3), 1002, id="bad-opcode"),
    pytest.param(frame(b"{}", opcode=0x0), 1002, id="continuation-of-nothing"),
    pytest.param(frame(b"{}", fin=False) + frame(b"{}"), 1002, id="text-inside-fragments"),
    pytest.param(frame(b"", opcode=0x9, fin=False), 1002, id="fragmented-ping"),
    pytest.param(frame(b"x" * 126, opcode=0x9), 1002, id="long-ping"),
    pytest.param(frame((999).to_bytes(2, "big"), opcode=0x8), 1002, id="bad-close-code"),
    pytest.param(frame(b"\x03\xe8\xff", opcode=0x8), 1002, id="close-reason-not-utf8"),
    pytest.param(frame(b"", length=LIMIT + 1), 1009, id="too-long-by-its-header"),
    pytest.param(frame(b"", length=1 << 62), 1009, id="gigantic-by-its-header"),
    pytest.param(
        frame(b"x" * 40_000, fin=False) + frame(b"", opcode=0x0, length=30_000), 1009, id="fragments-too-long"
    ),
    pytest.param(frame(b""), 3501, id="empty-message"),
    pytest.param(frame(b"{}"), 3501, id="pong-of-a-stranger"),
    pytest.param(frame(b"x" * LIMIT), 3501, id="no-json-of-exactly-the-limit"),
    pytest.param(frame(b"\xff\xfe\xfd"), 3501, id="no-text"),
]


@pytest.mark.parametrize(("data", "code"), BROKEN)
async def test_a_broken_frame_closes_with_the_code_of_the_contract(server: Server, data: bytes, code: int) -> None:
    async with websocket(server) as raw:
        await raw.send(data)
        assert (await raw.ending()).code == code


@given(data=st.binary(min_size=1, max_size=300))
@few
async def test_random_bytes_harm_nobody_else(server: Server, data: bytes) -> None:
    async with websocket(server) as raw:
        await raw.send(data)
        raw.writer.write_eof()
        assert (await raw.ending()).code in {None, 1000, 1001, 1002, 1009, 3501}


async def test_megabytes_of_random_bytes_harm_nobody_else(server: Server) -> None:
    for _ in range(20):
        async with websocket(server) as raw:
            await raw.send(noise(200_000))
            assert (await raw.ending()).code in {None, 1002, 1009, 3501}


@given(payload=st.binary(max_size=400), protobuf=st.booleans())
@few
async def test_random_payloads_in_whole_frames_are_bad_requests(server: Server, payload: bytes, protobuf: bool) -> None:
    async with websocket(server, "?format=protobuf" if protobuf else "") as raw:
        await raw.send(frame(payload, opcode=0x2))
        raw.writer.write_eof()
        assert (await raw.ending()).code in {None, 3501}


@pytest.mark.parametrize("cut", [1, 2, 5, 6, 7, 60])
@pytest.mark.parametrize("how", ["reset", "end of stream"])
async def test_a_frame_cut_off_by_the_end_of_its_connection_is_forgotten(server: Server, cut: int, how: str) -> None:
    whole = frame(json.dumps({"id": 1, "connect": {"token": token("cut")}}).encode())
    async with websocket(server) as raw:
        await raw.send(whole[:cut])
        if how == "reset":
            raw.reset()
        else:
            raw.writer.write_eof()
            assert await raw.rest() == b""


async def test_a_connection_that_comes_byte_by_byte_works(server: Server) -> None:
    hello = json.dumps({"id": 1, "connect": {"token": token("slow")}}).encode()
    async with websocket(server) as raw:
        for byte in frame(hello[:50], fin=False) + frame(hello[50:], opcode=0x0):
            await raw.send(bytes([byte]))
            await asyncio.sleep(0)
        reply = await asyncio.wait_for(raw.reader.read(65536), 5)
        assert b'"connect"' in reply


async def test_a_message_of_one_byte_fragments_works(server: Server) -> None:
    hello = json.dumps({"id": 1, "connect": {"token": token("slow")}}).encode()
    first, *middle, last = [hello[at : at + 1] for at in range(len(hello))]
    async with websocket(server) as raw:
        await raw.send(frame(first, fin=False) + b"".join(frame(one, opcode=0, fin=False) for one in middle))
        await raw.send(frame(last, opcode=0x0))
        assert b'"connect"' in await asyncio.wait_for(raw.reader.read(65536), 5)


FLOODS = [
    pytest.param(b"", frame(b"", opcode=0x9), id="pings"),
    pytest.param(b"", frame(b"", opcode=0xA), id="pongs"),
    pytest.param(frame(b"", fin=False), frame(b"", opcode=0x0, fin=False), id="empty-fragments"),
    pytest.param(b"", frame(b'{"id":1,"rpc":{"method":"ping"}}'), id="commands"),
]


@pytest.mark.parametrize(("before", "one"), FLOODS)
async def test_a_flood_of_small_frames_leaves_others_their_turn(
    server: Server, bystander: Bystander, before: bytes, one: bytes
) -> None:
    async with websocket(server) as raw:
        await raw.send(frame(json.dumps({"id": 1, "connect": {"token": token("flood")}}).encode()) + before)
        drain = asyncio.create_task(raw.rest())
        memory = resident(server)
        rounds, until = bystander.rounds, time.monotonic() + 1.5
        while time.monotonic() < until:
            await raw.send(one * 10_000)
            await asyncio.sleep(0)
        assert bystander.rounds > rounds + 10
        assert resident(server) - memory < 2e6
        assert bystander.slowest < 1.0
        drain.cancel()
