"""What the log is told when an engine fails and work goes on without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .interfaces import EngineUnavailable

if TYPE_CHECKING:
    from fanjet.telemetry.logging import Log


def log_failure(log: Log, message: str, error: Exception, **fields: object) -> None:
    """Tell of the exception being handled, in one line when the backend failed; else it is a bug and shown in full."""
    if isinstance(error, EngineUnavailable):
        log.error(message, error=error, **fields)
    else:
        log.exception(message, **fields)
