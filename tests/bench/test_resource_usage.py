"""CPU and memory of real process trees."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fanjet.bench.errors import BenchError
from fanjet.bench.measurement.resource_usage import ProcessTree
from fanjet.workers.role import EngineSpec, environment_for

SPIN = "import time\nend = time.process_time() + 0.1\nwhile time.process_time() < end: pass\n"
SAY = "print('done', flush=True); input()\n"
SPIN_IN_CHILD = (
    f"import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {SPIN + SAY!r}])\nchild.wait()\n"
)
SPIN_IN_ENDED_CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SPIN!r}])\n" + SAY


@contextmanager
def process_that_is_done(code: str) -> Iterator[ProcessTree]:
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        yield ProcessTree(process.pid)
        process.communicate(b"\n")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(SPIN + SAY, id="the process"),
        pytest.param(SPIN_IN_CHILD, id="a running child"),
        pytest.param(SPIN_IN_ENDED_CHILD, id="a child that has ended"),
    ],
)
def test_cpu_time_is_measured(code: str) -> None:
    with process_that_is_done(code) as tree:
        assert tree.cpu_ns() >= 90_000_000


def test_memory_of_all_processes_counts() -> None:
    with process_that_is_done(SPIN_IN_CHILD) as both, process_that_is_done(SPIN + SAY) as one:
        assert both.memory().rss > one.memory().rss > 1_000_000
        assert 0 < one.memory().pss <= one.memory().rss


def test_writes_of_all_processes_count() -> None:
    with process_that_is_done(SPIN_IN_CHILD) as tree:
        before = tree.writes()
        assert before > 0
    with process_that_is_done("import os\nfor _ in range(1000): os.write(1, b'')\n" + SAY) as tree:
        assert tree.writes() > 1000


def test_an_unknown_process_is_refused() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        with pytest.raises(BenchError, match=f"no process {process.pid}"):
            ProcessTree(process.pid)
    assert ProcessTree(os.getpid()).cpu_ns() > 0


def test_processes_are_distinguished_by_role() -> None:
    environment = environment_for(EngineSpec(listening=3, liveness=4, control=5), os.environ)
    child = [sys.executable, "-c", SPIN + SAY]
    code = f"import subprocess\nsubprocess.Popen({child!r}, env={environment!r}).wait()\n"
    with process_that_is_done(code) as tree:
        assert tree.cpu_ns_of("engine") >= 90_000_000
        assert tree.cpu_ns_of("worker") == 0
        assert tree.cpu_ns() > tree.cpu_ns_of("engine")
