"""Backoff for hosts whose orders fail, with a bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 3600.0
"""Seconds after a failure until the host is retried; they double with each further failure."""

MAX_HOSTS: Final = 100
"""Number of failed hosts remembered. When it is reached, no new host is tried."""


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    count: int
    until: float


class Failures:
    """Recent failures by host. Times are seconds on any clock."""

    def __init__(self) -> None:
        self._by_host: dict[str, _Failure] = {}
        self._global: _Failure | None = None

    def refusal(self, host: str, now: float) -> str | None:
        """The reason why the host must not be tried now, None if it may."""
        if self._global is not None and now < self._global.until:
            return self._global.reason
        failure = self._by_host.get(host)
        if failure is not None:
            return failure.reason if now < failure.until else None
        if len(self._by_host) >= MAX_HOSTS:
            self._forget_old(now)
        return "too many hosts have failed lately" if len(self._by_host) >= MAX_HOSTS else None

    def add(self, host: str, reason: str, now: float, retry_after: float = 0.0) -> float:
        """Record a failure.

        `retry_after`: seconds during which the authority accepts no requests for any host. Returns the seconds until
        the host may be retried.
        """
        if retry_after:
            self._global = _Failure(reason, 1, now + retry_after)
        before = self._by_host.get(host)
        count = before.count + 1 if before is not None else 1
        pause = max(min(FIRST_PAUSE * 2.0 ** (count - 1), LONGEST_PAUSE), retry_after)
        self._by_host[host] = _Failure(reason, count, now + pause)
        return pause

    def clear(self, host: str) -> None:
        """Record a success."""
        self._by_host.pop(host, None)

    def _forget_old(self, now: float) -> None:
        """Drop failures whose pause ended at least `LONGEST_PAUSE` ago.

        Drops any whose pause has ended if too many are left.
        """
        kept = {host: each for host, each in self._by_host.items() if now < each.until + LONGEST_PAUSE}
        if len(kept) >= MAX_HOSTS:
            kept = {host: each for host, each in kept.items() if now < each.until}
        self._by_host = kept
