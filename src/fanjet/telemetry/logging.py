"""Structured logging on top of the standard library: events with fields (04 §8.1).

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
"""Packages whose lines pass through a bounded queue, so that logging never blocks the serving of clients."""
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
    """Writes events with fields.

    A disabled level costs one comparison, so hot code may call it unguarded.
    """

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def traces(self) -> bool:
        """Whether trace lines are written; check before costly computations for one."""
        return self._logger.isEnabledFor(TRACE)

    def trace(self, message: str, /, **fields: object) -> None:
        """Log the finest detail: frames, single steps."""
        self._write(TRACE, message, fields)

    def debug(self, message: str, /, **fields: object) -> None:
        """Log details for troubleshooting."""
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        """Log a normal event."""
        self._write(logging.INFO, message, fields)

    def warn(self, message: str, /, **fields: object) -> None:
        """Log an event that an operator should check."""
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        """Log a failure; pass the exception, or its text, as `error`."""
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, /, **fields: object) -> None:
        """Log an unexpected exception with its traceback; call inside an `except` block."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._logger.error(message, exc_info=True, extra={FIELDS: fields})

    def fatal(self, message: str, /, **fields: object) -> NoReturn:
        """Log and exit with status 1, even if the level hides the line."""
        self._write(logging.CRITICAL, message, fields)
        raise SystemExit(1)

    def _write(self, level: int, message: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, extra={FIELDS: fields})


def writes_debug_lines() -> bool:
    """Whether debug lines are written; check before costly preparations for them."""
    return logging.getLogger().isEnabledFor(logging.DEBUG)


def get_logger(name: str) -> Log:
    """Return the log of a module. `name` is the module's `__name__`."""
    return Log(logging.getLogger(name))


class DroppingQueueHandler(QueueHandler):
    """Passes records to the writer thread and drops them when it falls behind."""

    def __init__(self, records: queue.Queue[logging.LogRecord]) -> None:
        super().__init__(records)
        self._records = records

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Leave formatting to the writer thread."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue the record, or drop it when the queue is full."""
        if self._records.qsize() < CORE_QUEUE_SIZE:
            self._records.put_nowait(record)


class LogOutput:
    """The destination of log lines until closed. Closing writes the queued lines."""

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
        """Write the queued lines and return to JSON on standard error."""
        self._listener.stop()
        for name in CORE_LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers = []
            logger.propagate = True
        log_to_stderr()
        self._handler.close()


def log_to_stderr() -> None:
    """Log JSON lines of every level to standard error.

    This is the state before the configuration is loaded.
    """
    root = logging.getLogger()
    root.handlers = [_stream_handler(sys.stderr, JsonFormatter())]
    root.setLevel(TRACE)


def configure(level: str, file: str, always: Mapping[str, object] | None = None) -> LogOutput:
    """Write lines of `level` and above to `file`, or else to the console (04 §8.1).

    Raises `OSError` if the file cannot be opened. `always`: fields of every line.

    Console means coloured text on standard output if that is a terminal, or else JSON on standard error.
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
