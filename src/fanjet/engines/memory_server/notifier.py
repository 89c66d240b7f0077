"""Wakes readers of the journal by writing one byte to their named pipe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from .journal import WAKEUP_LAG

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .reader_table import ReaderTable

_READ_SIZE: Final = 4096


def pipe_path(prefix: str, slot: int) -> str:
    """The path of the named pipe of a reader slot."""
    return f"{prefix}{slot}"


class WakeupPipe:
    """The reading end of this process's own pipe, which the engine has created."""

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # to write as well, so that it never ends

    def drain(self) -> None:
        """Read the pending bytes."""
        try:
            os.read(self.descriptor, _READ_SIZE)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.descriptor)


class Notifier:
    """The writing ends of all other readers' pipes."""

    def __init__(self, readers: ReaderTable, prefix: str) -> None:
        self._readers = readers
        self._prefix = prefix
        self._pipes: dict[int, tuple[int, int]] = {}
        """Generation and descriptor, by slot."""

    def notify(self, channels: Iterable[str], end: int, excluded: Collection[int]) -> None:
        """Wake the subscribers of these channels, and readers that lag behind.

        Readers lag if they have not read up to `end`, the end of the journal. The `excluded` slots are not woken: they
        read the journal anyway.
        """
        for slot, generation in self._readers.mark_notified(channels, end - WAKEUP_LAG, excluded):
            self._notify_one(slot, generation)

    def _notify_one(self, slot: int, generation: int) -> None:
        pipe = self._pipes.get(slot)
        try:
            if pipe is None or pipe[0] != generation:
                pipe = self._open(slot, generation)
            os.write(pipe[1], b"\0")
        except OSError:
            return  # the reader has ended, or has not opened its pipe yet: then it reads the journal anyway

    def _open(self, slot: int, generation: int) -> tuple[int, int]:
        former = self._pipes.pop(slot, None)
        if former is not None:
            os.close(former[1])
        descriptor = os.open(pipe_path(self._prefix, slot), os.O_WRONLY | os.O_NONBLOCK)
        pipe = self._pipes[slot] = (generation, descriptor)
        return pipe

    def close(self) -> None:
        """Close all pipes."""
        for _, descriptor in self._pipes.values():
            os.close(descriptor)
        self._pipes.clear()
