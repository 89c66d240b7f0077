"""CPU time and memory of a server's process tree, read from /proc (Linux)."""

import os
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fanjet.workers.role import role_in

from ..errors import BenchError

_PROC: Final = Path("/proc")
_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_WRITES: Final = re.compile(r"^syscw: (\d+)$", re.MULTILINE)
_PSS: Final = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes in use.

    `pss` divides shared pages among processes; it equals `rss` if the kernel does not report it.
    """

    rss: int
    pss: int


class ProcessTree:
    """The server's process and its descendants."""

    def __init__(self, pid: int) -> None:
        """Raises `BenchError` when there is no such process."""
        self.pid = pid
        if not (_PROC / str(pid)).is_dir():
            raise BenchError(f"no process {pid} in /proc")

    def cpu_ns(self) -> int:
        """User and system time of all threads since their start, including ended children."""
        return sum(_process_cpu_ns(pid) + _ended_children_ns(pid) for pid in self._pids())

    def cpu_ns_of(self, role: str) -> int:
        """CPU time of the processes with this role, `worker` or `engine`."""
        return sum(_process_cpu_ns(pid) for pid in self._pids() if role_in(_environment(pid)) == role)

    def writes(self) -> int:
        """Write system calls of the processes so far.

        The number is 0 if the kernel does not report them.
        """
        return sum(map(_process_writes, self._pids()))

    def memory(self) -> Memory:
        """Current memory of all processes."""
        both = [_process_memory(pid) for pid in self._pids()]
        return Memory(sum(one.rss for one in both), sum(one.pss for one in both))

    def _pids(self) -> list[int]:
        children = _children_by_parent()
        found = [self.pid]
        for pid in found:  # grows while walked: children of children
            found += children[pid]
        return found


def _children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = defaultdict(list)
    for entry in os.listdir(_PROC):
        if entry.isdigit() and (fields := _stat_fields(int(entry))):
            children[int(fields[1])].append(int(entry))
    return children


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the command's name, state first.

    Returns no fields for an ended process.
    """
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _environment(pid: int) -> dict[str, str]:
    """The environment of a process; empty if it has ended or belongs to another user."""
    try:
        text = (_PROC / str(pid) / "environ").read_text(errors="replace")
    except OSError:
        return {}
    return dict(variable.split("=", 1) for variable in text.split("\0") if "=" in variable)


def _process_cpu_ns(pid: int) -> int:
    """CPU time of a process, in nanoseconds, by its CPU clock.

    See clock_getcpuclockid(3): /proc only has ticks.
    """
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        fields = _stat_fields(pid)
        return (int(fields[11]) + int(fields[12])) * _TICK_NS if fields else 0


def _ended_children_ns(pid: int) -> int:
    fields = _stat_fields(pid)
    return (int(fields[13]) + int(fields[14])) * _TICK_NS if fields else 0


def _process_writes(pid: int) -> int:
    try:
        found = _WRITES.search((_PROC / str(pid) / "io").read_text())
    except OSError:
        found = None
    return int(found[1]) if found else 0


def _process_memory(pid: int) -> Memory:
    try:
        rss = int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE
    except OSError:
        return Memory(0, 0)
    try:
        found = _PSS.search((_PROC / str(pid) / "smaps_rollup").read_text())
    except OSError:
        found = None
    return Memory(rss, int(found[1]) * 1024 if found else rss)
