"""Whether the process is alive, and whether it should be sent clients (10 D)."""

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
    """What a server is doing as a whole, if it is not just serving."""

    STARTING = "the server is starting"
    SERVING = ""
    STOPPING = "the server is shutting down"


class Readiness:
    """Why clients should be sent elsewhere. `lost_engines` names the engines that cannot be reached now."""

    def __init__(self, lost_engines: Callable[[], Iterable[str]]) -> None:
        self.stage = Stage.STARTING
        self._lost_engines = lost_engines

    def reasons(self) -> list[str]:
        """None while everything is well."""
        lost = [f"{engine} cannot be reached" for engine in self._lost_engines()]
        return [self.stage.value, *lost] if self.stage.value else lost


def health_endpoint(exchange: Exchange) -> None:
    """A live process is healthy."""
    exchange.respond(200, b"{}", JSON)


def readiness_endpoint(readiness: Readiness) -> Endpoint:
    """200 and `{}`, or 503 with the reasons."""

    def endpoint(exchange: Exchange) -> None:
        reasons = readiness.reasons()
        if reasons:
            exchange.respond(503, msgspec.json.encode({"reasons": reasons}), JSON)
        else:
            exchange.respond(200, b"{}", JSON)

    return endpoint
