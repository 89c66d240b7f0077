"""Structured logging on top of the standard library: an event, its fields, and where lines go (04 §8.1).

    log = get_logger(__name__)
    log.info("serving", address=":8000")

Until `configure` is called, every line goes to standard error as JSON, whatever its level.
"""

import logging
import queue
import sys
from collections.abc import Mapping
from logging.handlers import QueueHandler, QueueListener
from typing import NoReturn, TextIO

from fanjet.telemetry.log_formats import FIELDS, TRACE, ConsoleFormatter, JsonFormatter

CORE_LOGGERS = ("fanjet.client", "fanjet.node", "fanjet.engines", "fanjet.transports")
"""Rooms whose lines pass a bounded queue, so that logging never blocks the serving of clients."""
CORE_QUEUE_SIZE = 64

LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}


class Log:
    """Writes events with fields. A disabled level costs one comparison, so hot code may call it unguarded."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def traces(self) -> bool:
        """Whether trace lines are written: ask before computing something costly for one."""
        return self._logger.isEnabledFor(TRACE)

    def trace(self, message: str, /, **fields: object) -> None:
        """Log the finest detail: frames, single steps."""
        self._write(TRACE, message, fields)

    def debug(self, message: str, /, **fields: object) -> None:
        """Log what helps to find a problem."""
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """Log what an operator expects to see."""
        self._write(logging.INFO, message, fields)

    def warn(self, message: str, /, **fields: object) -> None:
        """Log what an operator should look at."""
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """Log a failure; pass the exception, or its text, as `error`."""
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, /, **fields: object) -> None:
        """Log a surprise, inside an `except` block: its traceback goes along."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._logger.error(message, exc_info=True, extra={FIELDS: fields})

    def fatal(self, message: str, /, **fields: object) -> NoReturn:
        """Log and leave the process with status 1, also when the level hides the line."""
        self._write(logging.CRITICAL, message, fields)
        raise SystemExit(1)

    def _write(self, level: int, message: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, extra={FIELDS: fields})


def writes_debug_lines() -> bool:
    """Whether lines of level debug are written anywhere: for those who would have to prepare for it."""
    return logging.getLogger().isEnabledFor(logging.DEBUG)


def get_logger(name: str) -> Log:
    """Return the log of a module; `name` is its `__name__`."""
    return Log(logging.getLogger(name))


class DroppingQueueHandler(QueueHandler):
    """Hands records to the writing thread and drops them when it cannot keep up."""

    def __init__(self, records: queue.Queue[logging.LogRecord]) -> None:
        super().__init__(records)
        self._records = records

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Leave the formatting to the writing thread."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue the record, or forget it."""
        if self._records.qsize() < CORE_QUEUE_SIZE:
            self._records.put_nowait(record)


class LogOutput:
    """The place where lines go, until closed. Closing writes what is still queued."""

    def __init__(self, handler: logging.Handler, level: int) -> None:
        self._handler = handler
        self._queue: queue.Queue[logging.LogRecord] = queue.Queue()
        self._listener = QueueListener(self._queue, handler)
        self._core = DroppingQueueHandler(self._queue)
        root = logging.getLogger()
        root.handlers = [handler]
        root.setLevel(level)
        for name in CORE_LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers = [self._core]
            logger.propagate = False
        self._listener.start()

    def close(self) -> None:
        """Write what is queued and go back to JSON on standard error."""
        self._listener.stop()
        for name in CORE_LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers = []
            logger.propagate = True
        log_to_stderr()
        self._handler.close()


def log_to_stderr() -> None:
    """Log JSON lines of any level to standard error: what holds until the configuration is known."""
    root = logging.getLogger()
    root.handlers = [_stream_handler(sys.stderr, JsonFormatter())]
    root.setLevel(TRACE)


def configure(level: str, file: str, always: Mapping[str, object] | None = None) -> LogOutput:
    """Send lines of `level` and above to `file`, else to the console (04 §8.1). Raises OSError when it does not open.
    `always`: fields that every line has.

    Console means a human format on standard output when that is a terminal, JSON on standard error otherwise.
    """
    threshold = LEVELS.get(level.lower())
    output = LogOutput(_destination(file, always or {}), logging.INFO if threshold is None else threshold)
    if threshold is None:
        get_logger(__name__).warn(f"unknown log level {level}, defaulting to INFO")
    return output


def _destination(file: str, always: Mapping[str, object]) -> logging.Handler:
    if file:
        handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(JsonFormatter(always))
        return handler
    if sys.platform != "win32" and sys.stdout.isatty():
        return _stream_handler(sys.stdout, ConsoleFormatter(always))
    return _stream_handler(sys.stderr, JsonFormatter(always))


def _stream_handler(stream: TextIO, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    return handler
