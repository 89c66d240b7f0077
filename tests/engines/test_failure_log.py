"""Logging of engine failures."""

import logging

import pytest

from fanjet.engines.failure_log import LINES_PER_SECOND, log_failure
from fanjet.engines.interfaces import EngineUnavailable
from fanjet.telemetry.logging import get_logger


def test_outages_are_rate_limited_and_bugs_logged_with_traceback(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger(__name__)
    for number in range(1000):
        log_failure(log, "error updating presence", EngineUnavailable("down"), channel=f"c{number}")
    log_failure(log, "error removing presence", EngineUnavailable("down"))
    messages = [record.getMessage() for record in caplog.records]
    assert LINES_PER_SECOND <= messages.count("error updating presence") < 500
    assert messages[-1] == "error removing presence"
    try:
        raise ValueError
    except ValueError as error:
        log_failure(log, "error updating presence", error)
    assert caplog.records[-1].exc_info
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
