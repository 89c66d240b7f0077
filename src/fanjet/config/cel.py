"""The language of the `*_cel` keys (03 §14.3, 10 I.1).

Boolean expressions over the fields of a request, or over the claims of a login. The library is imported with the first
expression, since it takes 8 MB.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cel_expr_python.cel import Env, Expression

KEYS: Final = ("subscribe_cel", "publish_cel", "history_cel", "presence_cel")

_STRINGS_AND_WORDS: Final = re.compile(
    r'''(?s)"""(?:\\.|.)*?"""|\'\'\'(?:\\.|.)*?\'\'\'|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?<!\.)\b(and|or)\b'''
)
_OPERATORS: Final = {"and": "&&", "or": "||"}
_STATUS: Final = re.compile(r"^(?:[A-Z_]+: )+(?:<input>:)?| \[[A-Z_]+\]$")
"""What the library puts around the line and column and the reason."""


class ExpressionError(ValueError):
    """The expression cannot be compiled; the text contains position and reason."""


def compile_expression(text: str, *, about_claims: bool = False) -> Expression:
    """Compile an expression that gives a boolean.

    Its variables are those of a request of a client, or only `claims`. Raises `ExpressionError`.

    `and` and `or` are taken for `&&` and `||` where the expression is none without: documentation spells them so.
    """
    try:
        compiled = _compile(text, about_claims=about_claims)
    except ExpressionError:
        spelled = _STRINGS_AND_WORDS.sub(lambda found: _OPERATORS.get(found[1], found[0]), text)
        if spelled == text:
            raise
        compiled = _compile(spelled, about_claims=about_claims)
    returned = compiled.return_type().name()
    if returned not in ("BOOL", "DYN"):
        raise ExpressionError(f"is {returned.lower()}, not a boolean")
    return compiled


def _compile(text: str, *, about_claims: bool) -> Expression:
    try:
        text.encode()
        return _environment(about_claims=about_claims).compile(text)
    except UnicodeEncodeError:
        raise ExpressionError("is not valid Unicode") from None
    except RuntimeError as error:
        raise ExpressionError(_STATUS.sub("", str(error).splitlines()[0])) from None


@cache
def _environment(*, about_claims: bool) -> Env:
    """The variables and their types."""
    try:
        from cel_expr_python import cel  # noqa: PLC0415
    except ImportError:
        raise ExpressionError("needs the package of the extra fanjet[cel], which is not installed") from None
    text = cel.Type.STRING
    strings: Any = cel.Type.Map(text, text)
    if about_claims:
        return cel.NewEnv(variables={"claims": cel.Type.Map(text, cel.Type.DYN)})
    return cel.NewEnv(
        variables={
            "subscribed": cel.Type.BOOL,
            "user": text,
            "channel": text,
            "meta": cel.Type.Map(text, cel.Type.DYN),
            "vars": strings,
            "labels": strings,
        }
    )
