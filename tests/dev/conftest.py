"""A development server and a real browser."""

import sys
from collections.abc import Iterator

import pytest

from tests.support.browsing import browser, executable  # noqa: F401
from tests.support.server import Process, free_port


@pytest.fixture(scope="session")
def dev_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """`fanjet dev` with default options except the port."""
    port = free_port()
    words = [sys.executable, "-m", "fanjet", "dev", "--port", str(port)]
    server = Process(words, port, tmp_path_factory.mktemp("dev"))
    server.start()
    yield server
    server.stop()
