"""Where certificates, keys and answers to challenges are kept.

Names and contents of the files are those of Go's autocert, so that a folder filled by Centrifugo goes on being used,
and servers that share a folder answer each other's challenges.
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
"""Between two looks whether another server still has what this one wants for itself."""

log = logging.getLogger(__name__)


def token_certificate(name: str) -> str:
    """Under what the certificate is kept with which a tls-alpn-01 challenge for the host is met."""
    return f"{name}+token"


def http_token(token: str) -> str:
    """Under what the answer to an http-01 challenge is kept."""
    return f"{token}+http-01"


class Store:
    """Keeps bytes by name, in memory, and in a folder when there is one. Files are readable for their owner alone."""

    def __init__(self, folder: str = "") -> None:
        """Make the folder if need be. Raises `OSError`."""
        self._entries: dict[str, bytes] = {}
        self._folder = Path(folder) if folder else None
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder):
                pass  # it can be written to

    def get(self, name: str) -> bytes | None:
        """What is kept under the name; another server may have written it."""
        if self._folder is not None:
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError:
                pass
            except OSError as error:
                log.error("certificate cache cannot be read: %s", error)
        return self._entries.get(name)

    def put(self, name: str, content: bytes) -> None:
        """Keep it. What cannot be written to the folder is kept in memory at least."""
        self._entries[name] = content
        if self._folder is None:
            return
        try:
            _write(self._folder, name, content)
        except OSError as error:
            log.error("certificate cache cannot be written: %s", error)

    def delete(self, name: str) -> None:
        """Keep it no longer."""
        self._entries.pop(name, None)
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    @contextlib.asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """Wait until no other server is in here for the same name; one that ends lets go. Nobody waits where the folder
        does not allow that."""
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
    """Make the file and lock it; returns its descriptor. Raises `OSError`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):  # else the one before has removed it meanwhile
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        await asyncio.sleep(LOOK_SECONDS)


def _write(folder: Path, name: str, content: bytes) -> None:
    """Put a whole file in the place of another at once."""
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-")  # created with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, folder / name)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
