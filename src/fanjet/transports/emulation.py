"""The emulation endpoint of connections with a one-way transport.

Receives their client commands (02 §7.4).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fanjet.net.aio import run_eagerly
from fanjet.net.cors import PREFLIGHT_HEADERS, PREFLIGHT_STATUS, cors_headers
from fanjet.net.http1 import UnreadableBody
from fanjet.node.registry import UnknownNode
from fanjet.protocol.codec import MalformedFrame
from fanjet.protocol.emulation import emulation_request
from fanjet.telemetry.logging import get_logger

from .body_errors import respond_body_error
from .response_stream import BINARY

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from fanjet.net.http1 import Exchange
    from fanjet.net.origin import OriginPredicate
    from fanjet.protocol.messages import EmulationRequest

    Emulate = Callable[[EmulationRequest], Coroutine[Any, Any, None]]
    Headers = Sequence[tuple[bytes, bytes]]

log = get_logger(__name__)

EMULATION_TIMEOUT: Final = 10.0


class EmulationEndpoint:
    """Passes commands to the node and responds when they have run.

    The session id is the credential (02 §7.4).
    """

    def __init__(self, emulate: Emulate, origin_allowed: OriginPredicate) -> None:
        """`emulate` runs the commands on the node of their connection.

        Raises `UnknownNode`.
        """
        self._emulate = emulate
        self._origin_allowed = origin_allowed

    def __call__(self, exchange: Exchange) -> None:
        """Handle one request."""
        request = exchange.request
        headers = cors_headers(request, self._origin_allowed)
        if request.method == "OPTIONS":
            exchange.respond(PREFLIGHT_STATUS, headers=(*headers, *PREFLIGHT_HEADERS))
            return
        if request.method != "POST":
            exchange.respond(405, headers=headers)
            return
        try:
            commands = emulation_request(request.body, is_protobuf=request.headers.get(b"content-type") == BINARY)
        except MalformedFrame:
            exchange.respond(400, headers=headers)
            return
        except UnreadableBody as failure:
            respond_body_error(exchange, failure, headers)
            return
        self._run(exchange, headers, commands)

    def _run(self, exchange: Exchange, headers: Headers, commands: EmulationRequest) -> None:
        """Respond when the commands have run, or after the timeout of the contract."""
        late: asyncio.TimerHandle | None = None

        def answer(_: None, error: BaseException | None) -> None:
            if late is not None:
                late.cancel()
            exchange.respond(_status(error), headers=headers)

        if run_eagerly(self._emulate(commands), answer) is not None:
            loop = asyncio.get_running_loop()
            late = loop.call_later(EMULATION_TIMEOUT, lambda: exchange.respond(500, headers=headers))


def _status(error: BaseException | None) -> int:
    if error is None:
        return 204
    if isinstance(error, UnknownNode):
        return 404
    log.error("error processing emulation request", error=error)
    return 500
