"""What callers are told (05 §4)."""

import pytest

from fanjet.api import errors
from fanjet.api.errors import ApiError, as_api_error
from fanjet.engines.interfaces import EngineUnavailable, HistoryNotAvailable
from fanjet.protocol.codes import (
    ERROR_BAD_REQUEST,
    ERROR_EXPIRED,
    ERROR_UNKNOWN_CHANNEL,
    ERROR_UNRECOVERABLE_POSITION,
    ReplyError,
)


@pytest.mark.parametrize(
    ("kind", "code", "message", "status"),
    [
        (errors.InternalError, 100, "internal server error", 500),
        (errors.UnknownChannel, 102, "unknown channel", 404),
        (errors.NotFound, 104, "not found", 404),
        (errors.BadRequest, 107, "bad request", 400),
        (errors.NotAvailable, 108, "not available", 400),
        (errors.UnrecoverablePosition, 112, "unrecoverable position", 416),
    ],
)
def test_table(kind: type[ApiError], code: int, message: str, status: int) -> None:
    assert (kind.code, kind.message, kind.http_status) == (code, message, status)


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in ApiError.__subclasses__()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(errors.BadRequest(), 107, id="its-own"),
        pytest.param(ReplyError(ERROR_UNKNOWN_CHANNEL), 102, id="unknown-channel"),
        pytest.param(ReplyError(ERROR_UNRECOVERABLE_POSITION), 112, id="unrecoverable-position"),
        pytest.param(ReplyError(ERROR_BAD_REQUEST), 100, id="bad-request-from-below"),
        pytest.param(ReplyError(ERROR_EXPIRED), 100, id="expired"),
        pytest.param(EngineUnavailable("gone"), 100, id="engine"),
        pytest.param(HistoryNotAvailable(), 100, id="no-history"),
        pytest.param(ZeroDivisionError(), 100, id="a-defect"),
    ],
)
def test_what_becomes_of_other_exceptions(error: Exception, code: int) -> None:
    assert as_api_error(error, "publish").code == code
