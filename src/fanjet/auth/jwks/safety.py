"""Checks that tokens cannot select an attacker's key set (03 §6.3).

The values of placeholders come from claims of unverified tokens. They are safe if the patterns that extract them only
match values that the operator listed.
"""

import re
from collections.abc import Iterator
from typing import Final

from fanjet.auth.errors import TokenSettingsError

CLASS_SHORTHANDS: Final = "dDwWsSpP"
CONTROL_ESCAPES: Final = "afnrtvx"
"""Letters whose escapes match one specific character."""

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
    """Raise `TokenSettingsError` for an unsafe pattern.

    A pattern is unsafe if it lets tokens choose the value of a placeholder freely. `patterns`: valid regular
    expressions by configuration key; empty ones are ignored.
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
    """Describe the first character class or shorthand in the pattern.

    The description is empty if there is none.
    """
    for found in _class_or_escape.findall(pattern):
        if found == "[":
            return "character class syntax"
        if found[1] in CLASS_SHORTHANDS:
            return f"character class shorthand ({found})"
    return ""


def _groups_with_choice(pattern: str) -> Iterator[str]:
    """Yield the named groups that can match more than the texts listed in them."""
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
    """Return whether a token of the pattern matches only itself, or is pure grammar."""
    escaped = token["escaped"]
    if escaped is not None:
        return escaped in CONTROL_ESCAPES or not escaped.isalpha()
    return token["repetition"] is None and (token["plain"] or "") not in (".", "*", "+", "?", "^", "$")
