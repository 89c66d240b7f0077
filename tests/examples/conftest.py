"""Examples in processes of their own, and a browser."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.browsing import browser, executable  # noqa: F401 (fixtures)
from tests.support.paths import ROOT
from tests.support.server import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def two_free_ports() -> int:
    """Return the first of two ports in a row, as an example with a backend of its own needs them."""
    while True:
        port = free_port()
        with suppress(OSError):
            with socket.socket() as probe:  # without SO_REUSEADDR: nor may another process hold it for later
                probe.bind(("127.0.0.1", port + 1))
            return free_port(port + 1) - 1


@pytest.fixture
def start_example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Process]]:
    """Return a function from an example's name to its running process."""
    running: list[Process] = []

    def start(name: str) -> Process:
        port = two_free_ports()
        words = [sys.executable, str(ROOT / "examples" / name / "run.py"), str(port)]
        process = Process(words, port, tmp_path_factory.mktemp(name))
        process.start()
        running.append(process)
        return process

    yield start
    for process in running:
        process.stop()
