"""Random interleavings of failures with what clients do: nothing is missed, nothing repeated, no loss goes untold (07
§11, §20). `FANJET_TEST_STORMS` is how many are run, `FANJET_TEST_STORM_SEED` the first of them."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from fanjet.engines.redis.connections import command_connection, connection
from fanjet.engines.redis.pubsub import supervisor
from fanjet.node import broker_subscriptions
from tests.cluster.storm import Storm
from tests.support.redis import Redis
from tests.support.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator

STORMS = int(os.environ.get("FANJET_TEST_STORMS", "150"))
FIRST = int(os.environ.get("FANJET_TEST_STORM_SEED", "0")) or random.randrange(2**32)
PARTS = 10


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine wait shorter, so that many storms fit into a second."""
    monkeypatch.setattr(connection, "KEEPALIVE_SECONDS", 0.05)
    monkeypatch.setattr(command_connection, "PAUSE_AFTER_FAILURE", 0.002)
    monkeypatch.setattr(command_connection, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(supervisor, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(broker_subscriptions, "LINGER", 0.01)


@pytest.mark.parametrize("part", range(PARTS))
async def test_who_can_recover_misses_and_repeats_nothing(redis: Redis, part: int) -> None:
    for seed in range(FIRST + part, FIRST + STORMS, PARTS):
        print(f"FANJET_TEST_STORMS=1 FANJET_TEST_STORM_SEED={seed}")
        async with Relay(redis.port) as one, Relay(redis.port) as two:
            storm = Storm(seed, redis, [one, two])
            await storm.run()
        storm.check()
