"""Process metrics with the standard names of Prometheus client libraries."""

from __future__ import annotations

import os
import resource
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .registry import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from .registry import Registry

_PROC: Final = Path("/proc/self")


def add_process_metrics(registry: Registry) -> None:
    """Add the metrics of this process.

    They are CPU time and the file limit; with `/proc`, also memory, open files and start time.
    """
    _add(registry, "cpu_seconds_total", "CPU time, of user and system", "counter", _cpu_seconds)
    _add(registry, "max_fds", "How many files may be open", "gauge", _file_limit)
    if (_PROC / "stat").exists():
        _add(registry, "open_fds", "Open files", "gauge", _open_files)
        _add(registry, "resident_memory_bytes", "Memory in RAM", "gauge", partial(_memory, 1))
        _add(registry, "virtual_memory_bytes", "Memory that is mapped", "gauge", partial(_memory, 0))
        _add(registry, "start_time_seconds", "Start of the process, in Unix seconds", "gauge", _started)


def _add(registry: Registry, name: str, help_: str, kind: str, read: Callable[[], float]) -> None:
    registry.add_reader(f"process_{name}", help_, kind, lambda: [Sample("", (), read())])


def _cpu_seconds() -> float:
    return time.process_time()


def _file_limit() -> float:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _open_files() -> float:
    return len(os.listdir(_PROC / "fd"))


def _memory(field: int) -> float:
    pages = (_PROC / "statm").read_text().split()[field]
    return int(pages) * resource.getpagesize()


def _started() -> float:
    """The start time of this process.

    /proc has it in clock ticks since boot; boot time is now minus the uptime.
    """
    after_name = (_PROC / "stat").read_text().rpartition(")")[2].split()
    ticks = int(after_name[19])
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")
