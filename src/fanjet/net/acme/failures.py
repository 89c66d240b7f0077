"""Keeps a failing host from asking the authority again and again, and strangers from filling the memory with hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 3600.0
"""Seconds after a failure until the host is tried again; each further failure doubles them."""

MAX_HOSTS: Final = 100
"""Failed hosts that are remembered. While there are as many, no other host is tried for the first time."""


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    count: int
    until: float


class Failures:
    """What went wrong lately, by host. Times are seconds on any clock."""

    def __init__(self) -> None:
        self._by_host: dict[str, _Failure] = {}
        self._global: _Failure | None = None

    def refusal(self, host: str, now: float) -> str | None:
        """Why the host may not be tried now, or None when it may."""
        if self._global is not None and now < self._global.until:
            return self._global.reason
        failure = self._by_host.get(host)
        if failure is not None:
            return failure.reason if now < failure.until else None
        if len(self._by_host) >= MAX_HOSTS:
            self._forget_old(now)
        return "too many hosts have failed lately" if len(self._by_host) >= MAX_HOSTS else None

    def add(self, host: str, reason: str, now: float, retry_after: float = 0.0) -> float:
        """It failed; `retry_after`: seconds that the authority wants to be left alone by everybody.

        Returns the seconds until it may be tried again.
        """
        if retry_after:
            self._global = _Failure(reason, 1, now + retry_after)
        before = self._by_host.get(host)
        count = before.count + 1 if before is not None else 1
        pause = max(min(FIRST_PAUSE * 2.0 ** (count - 1), LONGEST_PAUSE), retry_after)
        self._by_host[host] = _Failure(reason, count, now + pause)
        return pause

    def clear(self, host: str) -> None:
        """It succeeded."""
        self._by_host.pop(host, None)

    def _forget_old(self, now: float) -> None:
        """Let go of those whose pause is over for as long again as the longest."""
        kept = {host: each for host, each in self._by_host.items() if now < each.until + LONGEST_PAUSE}
        if len(kept) >= MAX_HOSTS:
            kept = {host: each for host, each in kept.items() if now < each.until}
        self._by_host = kept
