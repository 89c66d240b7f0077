"""Limits of new connections: a rate and a number per node (02 §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.net.token_bucket import TokenBucket
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.client.context import ClientContext

log = get_logger(__name__)

WARNING_INTERVAL = 3.0


class ConnectionLimits:
    """Enforces `client.connection_rate_limit` and `client.connection_limit`.

    The latter follows reloads.
    """

    def __init__(self, context: ClientContext, clock: Callable[[], float]) -> None:
        self._context = context
        self._clock = clock
        rate = context.config.connection_rate_limit
        self._bucket = TokenBucket(rate, clock) if rate > 0 else None
        self._active = rate > 0 or context.config.connection_limit > 0
        self._warned_at = -WARNING_INTERVAL

    def allow(self) -> bool:
        """Whether one more connection is allowed; takes a token of the rate limit."""
        if not self._active:
            return True
        if self._bucket is not None and not self._bucket.take():
            return False
        limit = self._context.config.connection_limit
        connected = len(self._context.node.connections)
        if limit <= 0 or connected < limit:
            return True
        self._context.metrics.limited.value += 1
        now = self._clock()
        if now - self._warned_at >= WARNING_INTERVAL:
            self._warned_at = now
            log.warn("node connection limit reached", limit=limit, connections=connected)
        return False
