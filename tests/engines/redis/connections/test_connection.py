"""A connection to a real Redis."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from fanjet.engines.redis.connections.address import Address, Login
from fanjet.engines.redis.connections.connection import Connection, connect
from tests.support.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def epoch_of(reply: list[Any]) -> bytes:
    """A decoder that expects another form of reply."""
    _, epoch = reply
    return bytes(epoch)


async def test_an_unexpected_reply_fails_only_its_command(redis: Redis) -> None:
    connection = await connect(Address("127.0.0.1", redis.port), Login(5, 5), Connection)
    try:
        before, unlike, after = (
            connection.execute(("PING",)),
            connection.execute(("ECHO", "abc"), epoch_of),
            connection.execute(("ECHO", "after"), bytes.upper),
        )
        with pytest.raises(ValueError, match="too many values"):
            await unlike
        assert await asyncio.gather(before, after) == [b"PONG", b"AFTER"]
        assert not connection.lost.done()
    finally:
        await connection.wait_closed()


async def test_the_reason_of_a_rejected_connection_is_reported(tmp_path: Path) -> None:
    server = Redis(tmp_path)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port)) as only:
            only.sendall(b"CONFIG SET maxclients 1\r\n")
            assert only.recv(100) == b"+OK\r\n"
            connection = Connection(Address("127.0.0.1", server.port), 5)
            await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", server.port)
            assert "max number of clients reached" in str(await connection.lost)
            await connection.wait_closed()
    finally:
        server.stop()


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_cancelling_while_the_connection_is_made(
    redis: Redis, make_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    class Made(Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            attempt.cancel()

    async def remove_group() -> None:
        nonlocal attempt
        attempt = asyncio.create_task(connect(Address("127.0.0.1", redis.port), Login(5, 5), Made))
        await asyncio.wait([attempt], timeout=10)
        assert attempt.cancelled()

    attempt: asyncio.Task[Made]
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(remove_group())


async def test_the_shortest_timeout_suffices_while_redis_answers(redis: Redis) -> None:
    connection = await connect(Address("127.0.0.1", redis.port), Login(5, 1e-9), Connection)
    assert await connection.execute(("PING",)) == b"PONG"
    await connection.wait_closed()
