"""Log lines: destinations and formats (04 §8.1)."""

import json
import logging
import re
import sys

import pytest

from fanjet.telemetry.log_formats import ConsoleFormatter
from fanjet.telemetry.logging import LogOutput, configure, get_logger, log_to_stderr


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_json_line_has_level_fields_time_and_message(capsys):
    log_to_stderr()
    get_logger("fanjet.server.app").warn("unknown key in configuration file", key="clinet")
    out, err = capsys.readouterr()
    (line,) = lines(err)
    assert out == ""
    assert list(line) == ["level", "key", "time", "message"]
    assert line["level"] == "warn"
    assert line["key"] == "clinet"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", line["time"])


def test_an_error_field_shows_the_text_of_the_exception(capsys):
    log_to_stderr()
    get_logger("fanjet.server.app").error("failed", error=ValueError("broken"))
    assert lines(capsys.readouterr().err)[0]["error"] == "broken"


def test_an_exception_is_logged_with_its_traceback(capsys):
    log_to_stderr()
    try:
        raise KeyError("x")
    except KeyError:
        get_logger("fanjet.server.app").exception("surprise")
    (line,) = lines(capsys.readouterr().err)
    assert "Traceback" in line["stack"]


@pytest.mark.parametrize(
    ("level", "written"),
    [
        pytest.param("trace", ["trace", "debug", "info", "warn", "error"], id="trace"),
        pytest.param("DEBUG", ["debug", "info", "warn", "error"], id="case-is-ignored"),
        pytest.param("warn", ["warn", "error"], id="warn"),
        pytest.param("fatal", [], id="fatal"),
        pytest.param("none", [], id="none"),
    ],
)
def test_the_level_decides_what_is_written(tmp_path, level, written):
    file = tmp_path / "log.txt"
    output = configure(level, str(file))
    log = get_logger("fanjet.server.app")
    for method in (log.trace, log.debug, log.info, log.warn, log.error):
        method("event")
    output.close()
    assert [line["level"] for line in lines(file.read_text())] == written


def test_an_unknown_level_warns_and_means_info(tmp_path):
    file = tmp_path / "log.txt"
    configure("loud", str(file)).close()
    (line,) = lines(file.read_text())
    assert line["level"] == "warn"
    assert line["message"] == "unknown log level loud, defaulting to INFO"


def test_with_a_log_file_nothing_goes_elsewhere_and_lines_are_appended(tmp_path, capsys):
    file = tmp_path / "log.txt"
    for _ in range(2):
        output = configure("info", str(file))
        get_logger("fanjet.server.app").info("event")
        output.close()
    assert capsys.readouterr() == ("", "")
    assert len(lines(file.read_text())) == 2


def test_a_log_file_that_does_not_open_is_an_error(tmp_path):
    with pytest.raises(OSError, match="absent"):
        configure("info", str(tmp_path / "absent" / "log.txt"))


def test_fatal_exits_with_status_one_even_when_hidden(tmp_path):
    output = configure("none", str(tmp_path / "log.txt"))
    with pytest.raises(SystemExit) as exit_:
        get_logger("fanjet.server.app").fatal("gone")
    output.close()
    assert exit_.value.code == 1


def test_lines_of_the_core_are_written_by_another_thread_and_dropped_when_the_queue_is_full(tmp_path):
    file = tmp_path / "log.txt"
    handler = logging.FileHandler(file)
    output = LogOutput(handler, logging.INFO)
    handler.acquire()  # the writing thread now waits
    for _ in range(200):
        get_logger("fanjet.client.session").info("event")
    handler.release()
    output.close()
    assert 64 <= len(file.read_text().splitlines()) <= 66


def test_the_console_format_puts_error_first_and_other_fields_by_name():
    record = logging.LogRecord("fanjet", logging.ERROR, "", 0, "cannot serve", None, None)
    record.fanjet_fields = {"b": 1, "a": "two words", "error": ValueError("broken")}
    text = re.sub(r"\x1b\[\d+m", "", ConsoleFormatter().format(record))
    assert text[19:] == ' [ERR] cannot serve error=broken a="two words" b=1'


@pytest.mark.skipif(sys.platform == "win32", reason="the console format is for terminals of other systems")
def test_the_console_format_is_used_on_a_terminal_only(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    output = configure("info", "")
    get_logger("fanjet.server.app").info("event")
    output.close()
    out, err = capsys.readouterr()
    assert "INF" in out
    assert err == ""
