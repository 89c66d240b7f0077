"""Logging of engine failures after which work continues."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from fanjet.telemetry.rate_limited_log import RateLimitedLog

from .interfaces import EngineUnavailable

if TYPE_CHECKING:
    from fanjet.telemetry.logging import Log

LINES_PER_SECOND: Final = 20
"""Limit for each message: in an outage every subscription of every connection may log it every few seconds."""


def log_failure(log: Log, message: str, error: Exception, **fields: object) -> None:
    """Log the exception being handled.

    In one line if the backend failed, else, as a bug, with its traceback.
    """
    if isinstance(error, EngineUnavailable):
        _limited(log, message).error(message, error=error, **fields)
    else:
        log.exception(message, **fields)


@cache
def _limited(log: Log, _message: str) -> RateLimitedLog:
    return RateLimitedLog(log, LINES_PER_SECOND)
