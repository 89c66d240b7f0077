"""The Redis of a benchmark run."""

import asyncio
import os
from pathlib import Path

import pytest

from fanjet.bench.processes.redis import running_redis
from tests.support.redis_binaries import old_binary


async def test_the_number_of_subscribed_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(old_binary()).parent), prepend=os.pathsep)
    async with running_redis() as redis:
        host, port = redis.settings["engine"]["redis"]["address"].split(":")
        assert await redis.channels() == 0
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"SUBSCRIBE one two\r\n")
        await redis.wait_for_channels(2)
        writer.close()
        await redis.wait_for_channels(0)
