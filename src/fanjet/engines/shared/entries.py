"""How events stand in the journal: those that were appended together as one array, with its length before it."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from .messages import decode_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .messages import Event

FULL: Final = 256 * 1024
"""Bytes of events that are appended together: an entry is decoded in one go."""

_ARRAY_32: Final = 0xDD
"""MessagePack's mark of an array with four bytes for how many there are."""
_HEAD: Final = Struct(">IBI")
HEAD_SIZE: Final = _HEAD.size
"""Bytes that an entry takes besides its events."""
_LENGTH: Final = 4


def entry(encoded: Sequence[bytes]) -> bytes:
    """Events that are encoded, one at least."""
    events = b"".join(encoded)
    return _HEAD.pack(HEAD_SIZE - _LENGTH + len(events), _ARRAY_32, len(encoded)) + events


def events_in(news: bytes, most: int) -> Iterator[Sequence[Event]]:
    """`most` at a time. Entries are decoded as it comes to them. Raises `msgspec.MsgspecError`."""
    begin, end = 0, len(news)
    while begin < end:
        begin += _LENGTH
        next_one = begin + int.from_bytes(news[begin - _LENGTH : begin], "big")
        yield from parts(decode_events(news[begin:next_one]), most)
        begin = next_one


def parts(events: Sequence[Event], most: int) -> Iterator[Sequence[Event]]:
    """`most` at a time."""
    if len(events) <= most:
        yield events
        return
    for begin in range(0, len(events), most):
        yield events[begin : begin + most]
