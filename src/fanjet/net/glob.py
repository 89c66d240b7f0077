"""Glob patterns over whole strings (02 section 3.5, 05 section 6.11).

`*` and `**` match any run of characters, `?` any one, `[abc]` and `[a-z]` one of a class, `[!abc]` one outside it,
`{a,b}` alternatives, which nest; a backslash takes the next character literally. There are no separators: `*` crosses
anything. A class is either a list or a single range. Braces left open end with the pattern. U+FFFD, which stands for
what was no text, is refused.

Matching takes linear time whatever the pattern: it is done by RE2, which does not backtrack.
"""

from collections.abc import Callable

import re2

NO_TEXT = "\ufffd"
_MAX_NESTING = 100


class GlobError(ValueError):
    """A malformed pattern; the text says why."""


def compile_glob(pattern: str) -> Callable[[str], bool]:
    """Return a predicate that matches whole strings. Raises `GlobError`."""
    if NO_TEXT in pattern:
        raise GlobError("a part is no text")
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        compiled = re2.compile(_Translation(pattern).regex(), options)
    except re2.error as error:
        raise GlobError("pattern is too large") from error
    fullmatch = compiled.fullmatch
    return lambda text: fullmatch(text) is not None


class _Translation:
    """Goes through a pattern once, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._characters = iter(pattern)
        self._depth = 0

    def regex(self) -> str:
        translated = "".join([self._translate(character) for character in self._characters])
        return translated + ")" * self._depth

    def _translate(self, character: str) -> str:
        match character:
            case "*":
                return ".*"
            case "?":
                return "."
            case "[":
                return self._class()
            case "{":
                self._depth += 1
                if self._depth > _MAX_NESTING:
                    raise GlobError("alternatives are nested too deeply")
                return "(?:"
            case "," if self._depth:
                return "|"
            case "}" if self._depth:
                self._depth -= 1
                return ")"
            case "\\":
                return _quoted(next(self._characters, ""))
            case _:
                return _quoted(character)

    def _class(self) -> str:
        first = self._next_in_class()
        negation = ""
        if first == "!":
            negation, first = "^", self._next_in_class()
        members: list[str] = []
        character = first
        while character != "]":
            if character == "\\":
                character = self._next_in_class()
            elif len(members) == 1 and members[0] == first and character == "-":
                return f"[{negation}{self._range(first)}]"
            members.append(character)
            character = self._next_in_class()
        if not members:
            raise GlobError("could not parse range")
        return f"[{negation}{''.join(map(_quoted, members))}]"

    def _range(self, low: str) -> str:
        high = self._next_in_class()
        if self._next_in_class() != "]":
            raise GlobError("expected close range character")
        if high < low:
            raise GlobError(f"hi character '{high}' should be greater than lo '{low}'")
        return f"{_quoted(low)}-{_quoted(high)}"

    def _next_in_class(self) -> str:
        character = next(self._characters, None)
        if character is None:
            raise GlobError("unexpected end of input")
        return character


def _quoted(text: str) -> str:
    return "".join(f"\\x{{{ord(character):x}}}" for character in text)
