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
_HEAD: Final = Struct(">IBBI")
HEAD_SIZE: Final = _HEAD.size
"""Bytes that an entry takes besides its events."""
_LENGTH: Final = 4
_EVENTS_AT: Final = 5
"""After length and mark."""


def entry(encoded: Sequence[bytes], *, keep: bool = False) -> bytes:
    """Events that are encoded, one at least. `keep`: the engine has to keep some of them."""
    events = b"".join(encoded)
    return _HEAD.pack(HEAD_SIZE - _LENGTH + len(events), keep, _ARRAY_32, len(encoded)) + events


def events_in(news: bytes, most: int) -> Iterator[Sequence[Event]]:
    """`most` at a time. Entries are decoded as it comes to them. Raises `msgspec.MsgspecError`."""
    begin, end = 0, len(news)
    events: list[Event] = []
    while begin < end:
        next_one = begin + _LENGTH + int.from_bytes(news[begin : begin + _LENGTH], "big")
        events += decode_events(news[begin + _EVENTS_AT : next_one])
        begin = next_one
        if len(events) >= most:
            yield from parts(events, most)
            events = []
    if events:
        yield events


def events_to_keep(news: bytes) -> Iterator[Event]:
    """Those of entries that the engine has to look at. Raises `msgspec.MsgspecError`."""
    begin, end = 0, len(news)
    while begin < end:
        next_one = begin + _LENGTH + int.from_bytes(news[begin : begin + _LENGTH], "big")
        if news[begin + _LENGTH]:
            yield from decode_events(news[begin + _EVENTS_AT : next_one])
        begin = next_one


def parts(events: Sequence[Event], most: int) -> Iterator[Sequence[Event]]:
    """`most` at a time."""
    if len(events) <= most:
        yield events
        return
    for begin in range(0, len(events), most):
        yield events[begin : begin + most]
