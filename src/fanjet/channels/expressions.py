"""Permissions from the namespace's CEL expressions (03 §14.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from fanjet.config.cel import compile_expression
from fanjet.telemetry.logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cel_expr_python.cel import Expression as Compiled

    from fanjet.config.tree.channel import ChannelOptions

    from .principal import Principal

log = get_logger(__name__)


class Expression:
    """One compiled expression. Only the result true grants a permission."""

    __slots__ = ("_compiled",)

    def __init__(self, text: str) -> None:
        """Raises `ExpressionError`."""
        self._compiled: Compiled = compile_expression(text)

    def grants(self, principal: Principal, channel: str, variables: Mapping[str, str], *, subscribed: bool) -> bool:
        """Evaluate for a request.

        An error, including one in the connection's `meta`, grants nothing.
        """
        try:
            outcome = self._compiled.eval(
                data={
                    "subscribed": subscribed,
                    "user": principal.user,
                    "channel": channel,
                    "meta": _object(principal.meta),
                    "vars": variables,
                    "labels": principal.labels or {},
                }
            ).value()
        except (ValueError, RuntimeError) as error:
            outcome = error
        if isinstance(outcome, bool):
            return outcome
        log.debug("expression does not grant", channel=channel, user=principal.user, error=str(outcome))
        return False


class Expressions(Struct, frozen=True):
    """A namespace's expressions by operation, None where it has none."""

    subscribe: Expression | None = None
    publish: Expression | None = None
    history: Expression | None = None
    presence: Expression | None = None


_NONE: Final = Expressions()


def expressions_of(options: ChannelOptions) -> Expressions:
    """Compile a namespace's expressions. Raises `ExpressionError`."""
    texts = (options.subscribe_cel, options.publish_cel, options.history_cel, options.presence_cel)
    return Expressions(*(Expression(text) if text else None for text in texts)) if any(texts) else _NONE


def _object(meta: bytes) -> dict[str, Any]:
    """Decode a connection's meta, with numbers as doubles like in CEL's JSON.

    Raises ValueError.
    """
    value = json.loads(meta, parse_int=float) if meta else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("meta is no object")
    return value
