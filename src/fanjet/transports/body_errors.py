"""Responses to requests whose body cannot be read (02 §7.1, §7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fanjet.net.http1 import BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanjet.net.http1 import Exchange, UnreadableBody

TOO_LARGE: Final = 413
UNREADABLE: Final = 499


def respond_body_error(exchange: Exchange, failure: UnreadableBody, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Respond with the status for `failure` and the given headers."""
    exchange.respond(TOO_LARGE if isinstance(failure, BodyTooLarge) else UNREADABLE, headers=headers)
