"""Selects the headers that connections keep for the application (06 §2)."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from fanjet.telemetry.logging import get_logger

log = get_logger(__name__)

HINT_INTERVAL: Final = 60.0
"""Seconds between two log lines about dropped headers."""


class KeptHeaders:
    """Names in lower case.

    `http`: headers of the opening request; `metadata`: gRPC metadata of the opening call; `emulated`: headers that the
    client puts into its connect request.
    """

    def __init__(
        self, http: Collection[str] = (), metadata: Collection[str] = (), emulated: Collection[str] = ()
    ) -> None:
        self.http = frozenset(map(str.lower, http))
        self.metadata = frozenset(map(str.lower, metadata))
        self.emulated = frozenset(map(str.lower, emulated))
        self._next_hint = 0.0

    def from_client(self, headers: Mapping[str, str]) -> Mapping[str, str] | None:
        """The kept headers of a connect request.

        Headers that must come from the opening request are dropped, with a log line once a minute.
        """
        lowered = {name.lower(): value for name, value in headers.items()}
        dropped = sorted(self.http.intersection(lowered) - self.emulated)
        if dropped:
            self._hint(dropped)
        return {name: lowered[name] for name in self.emulated.intersection(lowered)} or None

    def _hint(self, names: Sequence[str]) -> None:
        now = time.monotonic()
        if now >= self._next_hint:
            self._next_hint = now + HINT_INTERVAL
            log.info("emulated headers dropped: they are in http_headers, but not in emulated_headers", headers=names)


NO_HEADERS: Final = KeptHeaders()
