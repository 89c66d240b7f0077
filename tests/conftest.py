"""Fixtures for every test folder: server processes.

Processes belong to one pytest-xdist worker, so tests may run side by side. What a server logs must be free of
tracebacks; that is checked when it stops.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.server import Config, Server

# Tests start processes while gRPC runs in this one, and its handlers of fork() crash a child now and then. This is read
# when it is imported.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

# How long an example takes says how busy the machine is, not whether a property holds.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

StartServer = Callable[[Config], Server]


@pytest.fixture(autouse=True)
def _logging_stays() -> Iterator[None]:
    """Undo what a test does to the root logger: commands that run in this process set it up for themselves."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="session")
def _shared_servers() -> Iterator[dict[str, Server]]:
    running: dict[str, Server] = {}
    yield running
    for process in running.values():
        process.stop()


@pytest.fixture
def shared_server(_shared_servers: dict[str, Server], tmp_path_factory: pytest.TempPathFactory) -> StartServer:
    """Return a function from configuration to a running server, one process per configuration for the whole session.

    Tests that use it keep to channels and users of their own and leave the process running.
    """

    def get(config: Config) -> Server:
        key = json.dumps(config, sort_keys=True)
        if key not in _shared_servers:
            _shared_servers[key] = started(config, tmp_path_factory)
        return _shared_servers[key]

    return get


@pytest.fixture
def private_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Return a function from configuration to a running server that the test may restart or stop as it likes."""
    running: list[Server] = []

    def start(config: Config) -> Server:
        running.append(started(config, tmp_path_factory))
        return running[-1]

    yield start
    for process in running:
        process.stop()


def started(config: Config, folders: pytest.TempPathFactory) -> Server:
    """Start a server with a folder of its own."""
    server = Server(config, folders.mktemp("server"))
    server.start()
    return server
