"""Servers with two workers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.family import Family
from tests.support.redis import Redis
from tests.support.server import Server, merge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StartServer

OPEN = {
    "allow_subscribe_for_client": True,
    "allow_subscribe_for_anonymous": True,
    "allow_history_for_client": True,
    "allow_history_for_anonymous": True,
    "allow_presence_for_client": True,
    "allow_presence_for_anonymous": True,
    "presence": True,
    "history_size": 100_000,
    "history_ttl": "300s",
    "force_recovery": True,
}
CONFIG: dict[str, Any] = {
    "fanjet": {"workers": 2},
    "client": {
        "allow_anonymous_connect_without_token": True,
        "channel_position_check_delay": "1s",
        "recovery_max_publication_limit": 100_000,
    },
    "channel": {"without_namespace": OPEN},
    "health": {"enabled": True},
    "prometheus": {"enabled": True},
    "http_stream": {"enabled": True},
}


@pytest.fixture
def name() -> str:
    """The name of a channel or user that only this test uses."""
    return uuid.uuid4().hex


@pytest.fixture(scope="module", params=["memory", "redis"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The section of each engine."""
    if request.param == "memory":
        yield {"engine": {"type": "memory"}}
        return
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield {"engine": {"type": "redis", "redis": {"address": redis.address}}}
    redis.stop()


@pytest.fixture(scope="module")
def shared(engine: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of a module leave running."""
    server = Server(merge(CONFIG, engine), tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def pair(shared: Server) -> Server:
    """The same, when all workers are there."""
    await Family(shared).complete()
    return shared


@pytest.fixture
async def own(private_server: StartServer, engine: dict[str, Any]) -> Server:
    """A server for one test."""
    return await started(private_server, engine)


async def started(private_server: StartServer, over: dict[str, Any]) -> Server:
    """A server with more in its configuration, when all workers are there."""
    server = private_server(merge(CONFIG, over))
    await Family(server).complete()
    return server
