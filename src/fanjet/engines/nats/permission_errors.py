"""What the server does not permit: it says so some time after it was asked, and when its permissions change."""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .subjects import as_told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_DENIED: Final = re.compile(r'Permissions Violation for Subscription to "((?:[^"\\]|\\.)*)"')


class Denials:
    """Subjects that the server has refused to let be heard.

    For each of those `in_use` for which nobody waits any more, `end` is called. All in one go, since a server whose
    permissions have changed refuses many, and it takes a look at every one to find them.
    """

    def __init__(self, in_use: Collection[str], end: Callable[[str], None]) -> None:
        self._in_use = in_use
        self._end = end
        self._awaited: set[str] = set()
        self._told: set[str] = set()
        """As they stood in the errors."""
        self._looks_soon = False

    def __contains__(self, subject: str) -> bool:
        """Whether it was refused while it was `awaited`."""
        return as_told(subject) in self._told

    def forget(self, subject: str) -> None:
        """It is about to be asked for anew."""
        self._told.discard(as_told(subject))

    @contextmanager
    def awaited(self, subject: str) -> Iterator[None]:
        """Meanwhile somebody waits for it, and looks himself in the end what the server has said."""
        self._awaited.add(subject)
        try:
            yield
        finally:
            self._awaited.discard(subject)

    def take(self, error: str) -> None:
        """The server complains, about this or something else."""
        denied = _DENIED.search(error)
        if denied is None:
            return
        self._told.add(denied[1])
        if not self._looks_soon:
            self._looks_soon = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._looks_soon = False
        for subject in [one for one in self._in_use if one in self and one not in self._awaited]:
            self._end(subject)
        self._told.intersection_update(map(as_told, self._awaited))
