"""One connection, against a real Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fanjet.engines.redis.address import Address, Login
from fanjet.engines.redis.connection import Connection, connect

if TYPE_CHECKING:
    from tests.support.redis import Redis


def epoch_of(reply: list[Any]) -> bytes:
    """A reading that wants another form of reply."""
    _, epoch = reply
    return bytes(epoch)


async def test_a_reply_of_another_form_fails_its_own_command_alone(redis: Redis) -> None:
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
