"""Errors of the server API (05 §4), and the mapping of other exceptions to them."""

from typing import ClassVar

from fanjet.engines.interfaces import EngineUnavailable, HistoryNotAvailable
from fanjet.protocol.codes import ReplyError
from fanjet.telemetry.logging import get_logger

log = get_logger(__name__)


class ApiError(Exception):
    """A command failed; the reply holds code and message.

    Create a new instance for every raise: an instance accumulates tracebacks.
    """

    code: ClassVar[int]
    message: ClassVar[str]
    http_status: ClassVar[int]
    """HTTP status of the response in transport error mode (05 §2.7)."""

    def __str__(self) -> str:
        return f"{self.code} {self.message}"


class InternalError(ApiError):
    """The engine or a survey failed, or an unexpected exception was raised."""

    code, message, http_status = 100, "internal server error", 500


class UnknownChannel(ApiError):  # noqa: N818
    """The channel's namespace does not exist."""

    code, message, http_status = 102, "unknown channel", 404


class NotFound(ApiError):  # noqa: N818
    """The command or RPC method does not exist.

    The client protocol words its 104 differently.
    """

    code, message, http_status = 104, "not found", 404


class BadRequest(ApiError):  # noqa: N818
    """A parameter is missing or invalid."""

    code, message, http_status = 107, "bad request", 400


class NotAvailable(ApiError):  # noqa: N818
    """The feature is disabled in the namespace."""

    code, message, http_status = 108, "not available", 400


class UnrecoverablePosition(ApiError):  # noqa: N818
    """The stream's epoch differs from that of the requested position."""

    code, message, http_status = 112, "unrecoverable position", 416


_FORWARDED = {error.code: error for error in (UnknownChannel, UnrecoverablePosition)}


def as_api_error(error: Exception, method: str) -> ApiError:
    """Map the exception being handled to the reply's error; log internal failures."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ReplyError):
        return _FORWARDED.get(error.error.code, InternalError)()
    if isinstance(error, EngineUnavailable | HistoryNotAvailable):
        log.error("API command failed in the engine", method=method, error=error)
    else:
        log.exception("API command failed", method=method)
    return InternalError()
