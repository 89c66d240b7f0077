"""Paths to claims inside of tokens, as configured (03 §14.4)."""

import re
from typing import Final

RESERVED: Final = "|{}#@*?!()[]"
"""Characters that must be escaped to stand for themselves."""

_piece: Final = re.compile(r"\\(?P<escaped>.)|(?P<dot>\.)|(?P<plain>.)|(?P<end>\Z)", re.DOTALL)


def parse_claim_path(text: str) -> tuple[str, ...]:
    r"""Split at dots; a backslash escapes the next character. Raises ValueError."""
    if not text:
        raise ValueError("must not be empty")
    names = [""]
    for piece in _piece.finditer(text):
        if piece["dot"]:
            names.append("")
            continue
        plain = piece["plain"] or ""
        if plain == "\\":
            raise ValueError("ends with a backslash that escapes nothing")
        if plain and plain in RESERVED:
            raise ValueError(f'character "{plain}" must be escaped with a backslash')
        names[-1] += piece["escaped"] or plain
    return tuple(names)
