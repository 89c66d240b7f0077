"""Formatters of log lines: JSON, and coloured text for terminals.

They implement 04 §8.1.
"""

import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

TRACE = 5
FIELDS = "fanjet_fields"
"""The attribute of a record with the event's fields."""

_NAMES = {TRACE: "trace", logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn"}
_NAMES |= {logging.ERROR: "error", logging.CRITICAL: "fatal"}
_LABELS = {
    "trace": "\x1b[34mTRC\x1b[0m",
    "debug": "DBG",
    "info": "\x1b[32mINF\x1b[0m",
    "warn": "\x1b[33mWRN\x1b[0m",
    "error": "\x1b[31mERR\x1b[0m",
    "fatal": "\x1b[31mFTL\x1b[0m",
}
_PLAIN_VALUE = re.compile(r"[!#-\[\]-~]+")
"""Values shown without quotes: printable ASCII except space, quote and backslash."""


class LineFormatter(logging.Formatter):
    """Base of both formatters. `always` are fields of every line."""

    def __init__(self, always: Mapping[str, object] = MappingProxyType({})) -> None:
        super().__init__()
        self._always = always

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """Return the fields of a line."""
        fields = dict(getattr(record, FIELDS, {}))
        if record.exc_info and record.exc_info[1] is not None:
            fields.setdefault("error", record.exc_info[1])
            fields["stack"] = logging.Formatter().formatException(record.exc_info)
        return {**self._always, **fields}


class JsonFormatter(LineFormatter):
    """Formats a record as one JSON object per line.

    The order is level, the event's fields, time (RFC 3339, local, seconds), message.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its end."""
        line = {
            "level": _level(record),
            **self.fields(record),
            "time": _moment(record).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "message": record.getMessage(),
        }
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=_plain)


class ConsoleFormatter(LineFormatter):
    """Formats a record as time, level, message, then the fields by name.

    The field `error` is first; a traceback follows on separate lines.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its end."""
        fields = self.fields(record)
        stack = fields.pop("stack", None)
        names = sorted(fields, key=lambda name: (name != "error", name))
        time = _moment(record).strftime("%Y-%m-%d %H:%M:%S")
        words = [time, f"[{_LABELS[_level(record)]}]", record.getMessage()]
        words += [f"\x1b[36m{name}=\x1b[0m{_shown(fields[name])}" for name in names]
        return " ".join(words) + (f"\n{stack}" if stack else "")


def _level(record: logging.LogRecord) -> str:
    return _NAMES.get(record.levelno, "info")


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created).astimezone()


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value) or type(value).__name__


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_plain).strip('"')
    return text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False)
