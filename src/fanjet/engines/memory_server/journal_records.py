"""The record format of the journal.

A record is an array of events that were appended together, after its length.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from .messages import decode_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .messages import Event

MAX_RECORD: Final = 256 * 1024
"""Bytes of events that are appended together: a record is decoded in one go."""

_ARRAY_32: Final = 0xDD
"""MessagePack's type byte of an array with a length of four bytes."""
_HEAD: Final = Struct(">IBBI")
HEAD_SIZE: Final = _HEAD.size
"""Bytes of a record besides its events."""
_LENGTH: Final = 4
_EVENTS_AT: Final = 5
"""After the length and the flag."""


def encode_record(encoded: Sequence[bytes], *, store: bool = False) -> bytes:
    """A record of one or more encoded events.

    `store`: the engine has to store some of them.
    """
    events = b"".join(encoded)
    return _HEAD.pack(HEAD_SIZE - _LENGTH + len(events), store, _ARRAY_32, len(encoded)) + events


def decode_records(records: bytes, limit: int) -> Iterator[Sequence[Event]]:
    """Batches of up to `limit` events; records are decoded lazily.

    Raises `msgspec.MsgspecError`.
    """
    begin, end = 0, len(records)
    events: list[Event] = []
    while begin < end:
        next_begin = begin + _LENGTH + int.from_bytes(records[begin : begin + _LENGTH], "big")
        events += decode_events(records[begin + _EVENTS_AT : next_begin])
        begin = next_begin
        if len(events) >= limit:
            yield from batches(events, limit)
            events = []
    if events:
        yield events


def decode_records_to_store(records: bytes) -> Iterator[Event]:
    """The events of records that the engine has to store.

    Raises `msgspec.MsgspecError`.
    """
    begin, end = 0, len(records)
    while begin < end:
        next_begin = begin + _LENGTH + int.from_bytes(records[begin : begin + _LENGTH], "big")
        if records[begin + _LENGTH]:
            yield from decode_events(records[begin + _EVENTS_AT : next_begin])
        begin = next_begin


def batches(events: Sequence[Event], limit: int) -> Iterator[Sequence[Event]]:
    """Batches of up to `limit` events."""
    if len(events) <= limit:
        yield events
        return
    for begin in range(0, len(events), limit):
        yield events[begin : begin + limit]
