"""What the log is told when an engine fails and work goes on without it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.rate_limited_log import LimitedLog

from .interfaces import EngineUnavailable

if TYPE_CHECKING:
    from fanjet.telemetry.logging import Log

LINES_PER_SECOND: Final = 20
"""Of one message: in an outage it may be the same with every subscription of every connection, every few seconds."""


def log_failure(log: Log, message: str, error: Exception, **fields: object) -> None:
    """Tell of the exception being handled, in one line when the backend failed; else it is a bug and shown in full."""
    if isinstance(error, EngineUnavailable):
        _limited(log, message).error(message, error=error, **fields)
    else:
        log.exception(message, **fields)


@cache
def _limited(log: Log, _message: str) -> LimitedLog:
    return LimitedLog(log, LINES_PER_SECOND)
