"""The processes of a server with several workers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

VARIABLE = "_FANJET_ROLE"
SLOW = 60.0
"""Seconds that processes may take to start on a busy machine."""


class Family:
    """The child processes of a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.parent = server.pid

    def workers(self) -> dict[int, set[int]]:
        """The process ids of each worker, by its number: two while it is being replaced."""
        found: dict[int, set[int]] = {}
        for pid, role in self._roles():
            if role["type"] == "worker":
                found.setdefault(int(role["number"]), set()).add(pid)
        return found

    def worker(self, number: int) -> int:
        """The id of the process of a worker."""
        (pid,) = self.workers()[number]
        return pid

    def engine(self) -> int:
        """The id of the process that is the engine, 0 if there is none."""
        return next((pid for pid, role in self._roles() if role["type"] == "engine"), 0)

    def pids(self) -> set[int]:
        """All process ids without the parent's."""
        return {pid for pid, _ in self._roles()}

    def kill(self, pid: int, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one of them."""
        assert pid in self.pids() | {self.parent}
        os.kill(pid, how)

    async def complete(self, starts: int = 1) -> None:
        """Wait until all workers accept connections; for the `starts`-th time."""

        async def said_so() -> bool:
            return self.server.log.count("all workers accept connections") >= starts

        await until(said_so, SLOW)

    async def logged(self, message: str, times: int = 1) -> None:
        """Wait until the log has a message so many times."""

        async def is_there() -> bool:
            return self.server.log.count(message) >= times

        await until(is_there, SLOW)

    def _roles(self) -> Iterator[tuple[int, dict[str, object]]]:
        for entry in os.listdir("/proc"):
            if entry.isdigit() and _parent_of(entry) == self.parent:
                with contextlib.suppress(OSError):
                    variables = Path("/proc", entry, "environ").read_bytes().decode(errors="replace").split("\0")
                    told = [each.partition("=")[2] for each in variables if each.startswith(f"{VARIABLE}=")]
                    if told:
                        yield int(entry), json.loads(told[0])


def _parent_of(entry: str) -> int:
    try:
        fields = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[1])


def is_running(pid: int) -> bool:
    """Whether a process runs; zombies do not."""
    try:
        return Path("/proc", str(pid), "stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
