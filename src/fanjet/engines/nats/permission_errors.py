"""Permission errors of a NATS server.

The server sends them after a subscription, or when permissions change.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .subjects import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_VIOLATION: Final = re.compile(r'Permissions Violation for Subscription to "((?:[^"\\]|\\.)*)"')


class PermissionErrors:
    """Subjects whose subscription the server has denied.

    `on_denied` is called for each denied subject `in_use` that is not pending. Denials are collected and processed in
    one pass, because a change of permissions may cause many, and finding them takes a scan of all subjects.
    """

    def __init__(self, in_use: Collection[str], on_denied: Callable[[str], None]) -> None:
        self._in_use = in_use
        self._on_denied = on_denied
        self._pending: set[str] = set()
        self._denied: set[str] = set()
        """Subjects as quoted in the errors."""
        self._is_scheduled = False

    def __contains__(self, subject: str) -> bool:
        """Whether the subject was denied while it was `pending`."""
        return quoted(subject) in self._denied

    def forget(self, subject: str) -> None:
        """Forget a denial, before another subscription."""
        self._denied.discard(quoted(subject))

    @contextmanager
    def pending(self, subject: str) -> Iterator[None]:
        """While the block runs, its caller handles a denial of the subject."""
        self._pending.add(subject)
        try:
            yield
        finally:
            self._pending.discard(subject)

    def on_error(self, error: str) -> None:
        """Handle an error of the server, which may be of another kind."""
        denied = _VIOLATION.search(error)
        if denied is None:
            return
        self._denied.add(denied[1])
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._process_denied)

    def _process_denied(self) -> None:
        self._is_scheduled = False
        for subject in [one for one in self._in_use if one in self and one not in self._pending]:
            self._on_denied(subject)
        self._denied.intersection_update(map(quoted, self._pending))
