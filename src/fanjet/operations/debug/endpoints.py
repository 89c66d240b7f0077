"""The debug endpoints by path."""

from __future__ import annotations

import asyncio
import os
import sys
from html import escape
from typing import TYPE_CHECKING, Final

from fanjet.net.http1.response import JSON, NO_SNIFFING, TEXT
from fanjet.net.query import query_value

from .cpu_profile import MAX_SECONDS, Profiler
from .memory_usage import allocations, object_counts
from .stacks import tasks, threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint

DEFAULT_SECONDS: Final = 30.0

_PAGES: Final = {
    "threads": "The stack of every thread",
    "tasks": "The stack of every task",
    "census": "Objects by type",
    "allocs": "Memory by allocating line: the first call starts tracing, ?stop=1 stops it",
    "profile": "A CPU profile of ?seconds=30 for speedscope.app, with ?format=collapsed for flamegraph.pl",
    "cmdline": "The command line, arguments separated by zero bytes",
}


class DebugEndpoints:
    """Makes the debug endpoints."""

    def __init__(self, worker: int = 0) -> None:
        """Create the endpoints of this worker.

        `worker` is its number, shown on every page; 0 for a single process.
        """
        self._profiler = Profiler()
        self._headers = (NO_SNIFFING, (b"X-Fanjet-Worker", b"%d" % worker)) if worker else (NO_SNIFFING,)
        self._title = f"Worker {worker}, process {os.getpid()}" if worker else "Fanjet"

    def routes(self, prefix: str) -> dict[str, Endpoint]:
        """Endpoints by path below `prefix`."""
        base = prefix.rstrip("/")
        texts: dict[str, Callable[[Exchange], str]] = {
            "threads": lambda _: threads(),
            "tasks": lambda _: tasks(),
            "census": lambda _: object_counts(),
            "allocs": lambda exchange: allocations(stop=query_value(exchange.request.query, b"stop") == b"1"),
            "cmdline": lambda _: "\0".join(sys.orig_argv),
        }
        routes: dict[str, Endpoint] = {f"{base}/{name}": self._text(make) for name, make in texts.items()}
        routes[f"{base}/profile"] = self._profile
        routes[f"{base}/"] = self._index(f"{base}/")
        return routes

    def _profile(self, exchange: Exchange) -> None:
        query = exchange.request.query
        seconds = _seconds(query_value(query, b"seconds"))
        if seconds is None:
            exchange.respond(400, b"seconds must be a number above 0\n", TEXT, self._headers)
        elif self._profiler.running:
            exchange.respond(409, b"a profile is being taken\n", TEXT, self._headers)
        else:
            collapsed = query_value(query, b"format") == b"collapsed"
            self._profiler.start()
            asyncio.get_running_loop().call_later(min(seconds, MAX_SECONDS), self._answer, exchange, collapsed)

    def _answer(self, exchange: Exchange, collapsed: bool) -> None:
        profile = self._profiler.stop()
        if collapsed:
            exchange.respond(200, profile.collapsed(), TEXT, self._headers)
        else:
            name = (b"Content-Disposition", b'attachment; filename="fanjet.speedscope.json"')
            exchange.respond(200, profile.speedscope(), JSON, (*self._headers, name))

    def _text(self, make: Callable[[Exchange], str]) -> Endpoint:
        def endpoint(exchange: Exchange) -> None:
            exchange.respond(200, make(exchange).encode("utf-8", "backslashreplace"), TEXT, self._headers)

        return endpoint

    def _index(self, path: str) -> Endpoint:
        """The index page. It also receives all unknown paths below the prefix."""
        items = "".join(f'<li><a href="{name}">{name}</a>: {escape(about)}' for name, about in _PAGES.items())
        head = f"<!doctype html><meta charset=utf-8><title>Fanjet debug</title><h1>{self._title}</h1><p>{escape(path)}"
        page = f"{head}<ul>{items}</ul>"

        def endpoint(exchange: Exchange) -> None:
            if exchange.request.path == path:
                exchange.respond(200, page.encode(), b"text/html; charset=utf-8", self._headers)
            else:
                exchange.respond(404, b"404 page not found\n", TEXT, self._headers)

        return endpoint


def _seconds(text: bytes) -> float | None:
    if not text:
        return DEFAULT_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if seconds > 0 else None  # which NaN is not, either
