"""Runs coroutines that answer a request later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanjet.net.aio import start
from fanjet.net.http1.exchange import respond_with_error

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from fanjet.net.http1 import Exchange


def run_handler(exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that answers the exchange.

    It completes before this returns if it does not have to wait. An exception before its first wait propagates to the
    caller, a later one is answered here.
    """
    suspended = start(work)
    if suspended is not None:
        suspended.go_on(lambda _, error: _ended(exchange, error))


def _ended(exchange: Exchange, error: BaseException | None) -> None:
    if isinstance(error, Exception):
        respond_with_error(exchange, error)
    elif error is not None:
        raise error
