"""The syntax of a namespace's `pattern` (03 §14.2).

A pattern consists of text and variables, each of which stands for part of a segment.
"""

import re
from typing import Final

from msgspec import Struct

_VARIABLE: Final = re.compile(":([^/]*)")
_AFTER_ALL_TEXT: Final = "\U0010ffff"


class PatternError(ValueError):
    """The pattern is invalid; the text contains the reason."""


class ChannelPattern(Struct, frozen=True):
    """A parsed pattern.

    Patterns with equal `order` match the same channels. Of those that match a channel, the one with the lowest `order`
    applies: static text comes before a variable, position by position. `depth`: the number of slashes in every channel
    that matches.
    """

    order: str
    expression: str
    variables: tuple[str, ...]
    depth: int


def parse_pattern(text: str) -> ChannelPattern:
    """Parse a pattern. Raises `PatternError`."""
    if not text.startswith("/"):
        raise PatternError('must start with "/"')
    if not text.isascii():
        raise PatternError("must consist of ASCII characters")
    for forbidden in ("//", "*"):
        if forbidden in text:
            raise PatternError(f'must not contain "{forbidden}"')
    pieces = _VARIABLE.split(text)
    literals, variables = pieces[::2], pieces[1::2]
    if "" in variables:
        raise PatternError("has a variable without a name")
    if len(set(variables)) < len(variables):
        raise PatternError("has two variables of the same name")
    expression = "([^/]+)".join(map(re.escape, literals))
    return ChannelPattern(_AFTER_ALL_TEXT.join(literals), expression, tuple(variables), text.count("/"))
