"""Liveness and readiness endpoints (10 D)."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from fanjet.net.http1.response import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanjet.net.http1 import Exchange
    from fanjet.net.router import Endpoint


class Stage(Enum):
    """The stage of the server's life; the value is the reason why it is not ready."""

    STARTING = "the server is starting"
    SERVING = ""
    STOPPING = "the server is shutting down"


class Readiness:
    """Collects reasons why the server is not ready.

    `unreachable_engines` returns the names of engines that cannot be reached.
    """

    def __init__(self, unreachable_engines: Callable[[], Iterable[str]]) -> None:
        self.stage = Stage.STARTING
        self._unreachable_engines = unreachable_engines

    def reasons(self) -> list[str]:
        """The reasons; empty when ready."""
        unreachable = [f"{engine} cannot be reached" for engine in self._unreachable_engines()]
        return [self.stage.value, *unreachable] if self.stage.value else unreachable


def health_endpoint(exchange: Exchange) -> None:
    """Respond 200: a running process is healthy."""
    exchange.respond(200, b"{}", JSON)


def readiness_endpoint(readiness: Readiness) -> Endpoint:
    """An endpoint that responds 200 with `{}`, or 503 with the reasons."""

    def endpoint(exchange: Exchange) -> None:
        reasons = readiness.reasons()
        if reasons:
            exchange.respond(503, msgspec.json.encode({"reasons": reasons}), JSON)
        else:
            exchange.respond(200, b"{}", JSON)

    return endpoint
