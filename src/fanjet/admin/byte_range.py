"""Which part of a file is asked for (RFC 9110 section 14)."""

from __future__ import annotations

import re
from typing import Final

_ONE: Final = re.compile(rb"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")


class Unsatisfiable(Exception):  # noqa: N818
    """There is no such part: the text says why."""


class BeyondEnd(Unsatisfiable):
    """It begins behind the end of the file."""

    def __init__(self) -> None:
        super().__init__("invalid range: failed to overlap")


def wanted_part(asked: bytes, size: int) -> range | None:
    """The bytes that a `Range` header asks for; None when the whole is to be sent, as for several parts. Raises
    `Unsatisfiable`."""
    if not asked or b"," in asked:
        return None
    part = _ONE.fullmatch(asked)
    if part is None or not (part[1] or part[2]):
        if asked == b"bytes=":
            return None
        raise Unsatisfiable("invalid range")
    if not part[1]:
        return range(max(size - int(part[2]), 0), size)
    start = int(part[1])
    if start >= size:
        raise BeyondEnd
    end = min(int(part[2]), size - 1) if part[2] else size - 1
    if end < start:
        raise Unsatisfiable("invalid range")
    return range(start, end + 1)
