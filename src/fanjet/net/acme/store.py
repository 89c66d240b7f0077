"""Stores certificates, keys and challenge responses.

In memory, and optionally in a folder. File names and contents are those of Go's autocert, so that a folder filled by
Centrifugo can be reused, and servers that share a folder answer each other's challenges.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACCOUNT_KEY: Final = "acme_account+key"

LOOK_SECONDS: Final = 0.2
"""Pause between two attempts to take a lock held by another server."""

log = logging.getLogger(__name__)


def token_certificate(name: str) -> str:
    """The name of the certificate for a host's tls-alpn-01 challenge."""
    return f"{name}+token"


def http_token(token: str) -> str:
    """The name of the response to an http-01 challenge."""
    return f"{token}+http-01"


class Store:
    """Stores bytes by name in memory, and in a folder if given.

    Files are readable only by their owner.
    """

    def __init__(self, folder: str = "") -> None:
        """Create the folder if needed. Raises `OSError`."""
        self._entries: dict[str, bytes] = {}
        self._folder = Path(folder) if folder else None
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder):
                pass  # checks that the folder is writable

    def get(self, name: str) -> bytes | None:
        """The stored content, possibly written by another server; None if absent."""
        if self._folder is not None:
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError:
                pass
            except OSError as error:
                log.error("certificate cache cannot be read: %s", error)
        return self._entries.get(name)

    def put(self, name: str, content: bytes) -> None:
        """Store the content. If the folder is not writable, it is kept in memory."""
        self._entries[name] = content
        if self._folder is None:
            return
        try:
            _write(self._folder, name, content)
        except OSError as error:
            log.error("certificate cache cannot be written: %s", error)

    def delete(self, name: str) -> None:
        """Delete the content."""
        self._entries.pop(name, None)
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    @contextlib.asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """Lock `name` against other servers; the lock of an ended process is released.

        No lock is taken if the folder does not support it.
        """
        if self._folder is None:
            yield
            return
        path = self._folder / f".{name}+lock"
        try:
            descriptor = await _locked(path)
        except OSError as error:
            log.error("certificate cache cannot be locked: %s", error)
            yield
            return
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)
            os.close(descriptor)


async def _locked(path: Path) -> int:
    """Create and lock the file; returns its descriptor. Raises `OSError`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(
                os.fstat(descriptor), os.stat(path)
            ):  # else the previous holder has removed it meanwhile
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        await asyncio.sleep(LOOK_SECONDS)


def _write(folder: Path, name: str, content: bytes) -> None:
    """Replace a file atomically."""
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-")  # created with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, folder / name)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
