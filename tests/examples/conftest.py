"""Examples in processes of their own, and a browser."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.browsing import browser, executable  # noqa: F401 (fixtures)
from tests.support.paths import ROOT
from tests.support.server import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def start_example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Process]]:
    """Return a function from an example's name to its running process."""
    running: list[Process] = []

    def start(name: str) -> Process:
        port = free_port()
        words = [sys.executable, str(ROOT / "examples" / name / "run.py"), str(port)]
        process = Process(words, port, tmp_path_factory.mktemp(name))
        process.start()
        running.append(process)
        return process

    yield start
    for process in running:
        process.stop()
