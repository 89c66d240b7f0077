"""Byte ranges of the `Range` header (RFC 9110 section 14)."""

from __future__ import annotations

import re
from typing import Final

_SINGLE_RANGE: Final = re.compile(rb"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")


class Unsatisfiable(Exception):  # noqa: N818
    """The range cannot be satisfied; the text gives the reason."""


class BeyondEnd(Unsatisfiable):
    """The range begins after the end of the file."""

    def __init__(self) -> None:
        super().__init__("invalid range: failed to overlap")


def requested_range(params: bytes, size: int) -> range | None:
    """The requested byte range; None to send the whole file, also for multiple ranges.

    Raises `Unsatisfiable`.
    """
    if not params or b"," in params:
        return None
    match = _SINGLE_RANGE.fullmatch(params)
    if match is None or not (match[1] or match[2]):
        if params == b"bytes=":
            return None
        raise Unsatisfiable("invalid range")
    if not match[1]:
        return range(max(size - int(match[2]), 0), size)
    start = int(match[1])
    if start >= size:
        raise BeyondEnd
    end = min(int(match[2]), size - 1) if match[2] else size - 1
    if end < start:
        raise Unsatisfiable("invalid range")
    return range(start, end + 1)
