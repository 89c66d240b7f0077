"""Whether tokens could lead us to a key set of somebody else's (03 §6.3).

The values of placeholders come from claims of tokens that are not verified yet. They are safe when the patterns that
find them can only find what the operator has written out.
"""

import re
from collections.abc import Iterator
from typing import Final

from fanjet.auth.errors import TokenSettingsError

CLASS_SHORTHANDS: Final = "dDwWsSpP"
CONTROL_ESCAPES: Final = "afnrtvx"
"""Letters whose escapes stand for one certain character."""

_ONLY_LISTS: Final = "only an explicit list of allowed values is permitted (e.g., value1|value2|value3)"
_ADVICE: Final = (
    "which is not allowed when JWKS endpoint URL template is used, "
    "use an explicit list of allowed values (e.g., value1|value2|value3)"
)

_class_or_escape: Final = re.compile(r"\[|\\.", re.DOTALL)
_token: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)"
    r"|\\x\{[0-9A-Fa-f]+\}"
    r"|\\(?P<escaped>.)"
    r"|\(\?P?<(?P<name>\w+)>"
    r"|\(\?[a-zA-Z-]*(?P<flags_end>[:)])"
    r"|(?P<repetition>\{[0-9]+(?:,[0-9]*)?\})"
    r"|(?P<plain>.)",
    re.DOTALL,
)


def check_endpoint_safety(placeholders: frozenset[str], patterns: dict[str, str]) -> None:
    """Raise `TokenSettingsError` for a pattern that could let tokens choose freely what replaces a placeholder.

    `patterns`: valid regular expressions by their keys in the configuration; empty ones are none.
    """
    if not placeholders:
        return
    for key, pattern in patterns.items():
        found = _class_syntax(pattern)
        if found:
            raise TokenSettingsError(key, f"{key} contains {found} {_ADVICE}")
        for name in _groups_with_choice(pattern):
            if name in placeholders:
                reason = f'{key} named group "{name}" is used in JWKS endpoint URL template, {_ONLY_LISTS}'
                raise TokenSettingsError(key, reason)


def _class_syntax(pattern: str) -> str:
    """The first thing that stands for several characters, wherever it is; empty for none."""
    for found in _class_or_escape.findall(pattern):
        if found == "[":
            return "character class syntax"
        if found[1] in CLASS_SHORTHANDS:
            return f"character class shorthand ({found})"
    return ""


def _groups_with_choice(pattern: str) -> Iterator[str]:
    """Yield the named groups that can match more than texts written out in them."""
    open_groups: list[str] = []
    for token in _token.finditer(pattern):
        if token["name"] is not None:
            open_groups.append(token["name"])
        elif token["flags_end"] == ":" or token["plain"] == "(":
            open_groups.append("")
        elif token["plain"] == ")":
            open_groups.pop()
        elif not _is_fixed(token):
            yield from filter(None, open_groups)


def _is_fixed(token: re.Match[str]) -> bool:
    """Whether a piece of a pattern stands for itself, or is only grammar."""
    escaped = token["escaped"]
    if escaped is not None:
        return escaped in CONTROL_ESCAPES or not escaped.isalpha()
    return token["repetition"] is None and (token["plain"] or "") not in (".", "*", "+", "?", "^", "$")
