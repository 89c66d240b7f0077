"""Pebble, Let's Encrypt's test authority: the machine's own, or Debian's package, unpacked beside other test tools.

Its companion answers every name with 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

from tests.support.certificates import issue
from tests.support.paths import NODE_MODULES
from tests.support.server import free_port

if TYPE_CHECKING:
    from pathlib import Path

UNPACKED: Final = NODE_MODULES / ".cache" / "pebble"
NAMES: Final = ("pebble", "pebble-challtestsrv")
PATIENCE: Final = 10.0


def find() -> list[str] | None:
    """The paths of both programs, or None."""
    places = os.pathsep.join([os.environ.get("PATH", ""), str(UNPACKED / "usr" / "bin")])
    found = [shutil.which(name, path=places) for name in NAMES]
    return [path for path in found if path] if all(found) else None


def unpack() -> None:
    """Get Debian's package, which needs no installing; nothing happens where that is not possible."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(["apt-get", "download", "pebble"], cwd=UNPACKED, capture_output=True, check=True, timeout=120)
        package = next(UNPACKED.glob("pebble_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, UNPACKED], capture_output=True, check=True)


class Pebble:
    """A running authority that validates hosts on these ports. Its certificates are valid for `lifetime` seconds."""

    def __init__(self, folder: Path, *, tls_port: int, http_port: int, lifetime: int = 3600) -> None:
        pair = issue()
        self.ca = pair.certificate
        self.port = free_port()
        (folder / "cert.pem").write_text(pair.certificate)
        (folder / "key.pem").write_text(pair.key)
        settings = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{free_port()}",
            "certificate": str(folder / "cert.pem"),
            "privateKey": str(folder / "key.pem"),
            "tlsPort": tls_port,
            "httpPort": http_port,
            "retryAfter": {"authz": 1, "order": 1},
            "certificateValidityPeriod": lifetime,  # of old versions; new ones have profiles
            "profiles": {"default": {"description": "tests", "validityPeriod": lifetime}},
        }
        (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
        programs = find()
        assert programs is not None
        names = f"127.0.0.1:{free_port()}"
        self.log = folder / "pebble.log"
        self._run(programs[1], *_names_only(programs[1], names))
        self._run(programs[0], "-config", str(folder / "pebble.json"), "-dnsserver", names)
        self._await_listening()

    @property
    def directory(self) -> str:
        """Where clients begin."""
        return f"https://localhost:{self.port}/dir"

    def _run(self, *words: str) -> None:
        # Without the pause that it makes before each validation, and without its refusals of good nonces.
        environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20"}
        with self.log.open("ab") as log:
            process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
        self._processes = [process, *getattr(self, "_processes", [])]

    def _await_listening(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise RuntimeError(f"pebble does not listen:\n{self.log.read_text()}")

    def stop(self) -> None:
        """End it."""
        for process in self._processes:
            process.terminate()
            process.wait()


def _names_only(companion: str, address: str) -> list[str]:
    """Its arguments, which differ between versions: answer names at the address, and do nothing else."""
    usage = subprocess.run([companion, "-help"], capture_output=True, text=True, check=False).stderr
    names = "-dnsserver" if "-dnsserver" in usage else "-dns01"
    rest = [each for each in ("-http01", "-https01", "-tlsalpn01", "-doh") if f"{each} string" in usage]
    words = ["-defaultIPv6", "", names, address, "-management", f"127.0.0.1:{free_port()}"]
    return words + [word for each in rest for word in (each, "")]
