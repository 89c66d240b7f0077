"""Delta compression in the Fossil format (01 §10.4).

Computing a patch blocks the event loop. The work is therefore counted; beyond a limit of about 1.5 ms the rest of the
target becomes a literal. A patch that is not shorter than its target is not sent: clients accept full payloads.

A patch consists of literals of the target and copies from the base. An index of the base's 16-byte blocks, searched
with 16-byte windows of the target, finds copies, which are then extended in both directions. Small payloads use the
rolling hash and the short hash table of §10.4, which also finds matches shorter than a block. Large payloads are first
compared in place, at the shift of the last copy, which takes a tenth of the time if only values changed; a dictionary
of blocks finds the other copies.
"""

import re
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final, Protocol

BLOCK: Final = 16
_DIGITS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
_DIGIT_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}

# Work is counted in units of about 0.15 µs.
_WORK_LIMIT: Final = 8_000
_WORK_LIMIT_OF_LIST: Final = 24_000
_PER_BLOCK: Final = 3
_PER_HIT: Final = 16
_PER_CANDIDATE: Final = 10
_PER_WINDOW: Final = 2
_PER_CHUNK: Final = 15
_PER_COPY_IN_PLACE: Final = 6

_MAX_SMALL_SIZE: Final = 1024
"""Largest payload for which the rolling hash is used."""
_GOOD_COPY: Final = 4 * BLOCK
"""A copy of this length is used without a search for a longer one."""
_STRIDE: Final = BLOCK
"""Windows that are looked up between two counts of the work."""
_EXACT_RUN: Final = 512
"""After this many bytes without a match, only every few windows are searched: this still finds long copies."""
_SPARSE_STEP: Final = 5  # odd, so that all alignments to blocks come up
_CHUNK: Final = 1024
"""Bytes that are compared in place at a time."""
_MAX_IN_PLACE_GAP: Final = 4 * BLOCK
"""If an in-place match follows within this many bytes, the index is not searched."""
_EQUAL: Final = re.compile(rb"\0{%d,}" % BLOCK)
"""Runs of zeros in a difference of chunks that are worth a copy."""


class DeltaError(Exception):
    """A patch is malformed or does not fit the base."""


class _WorkLimitExceededError(Exception):
    """The work limit is exceeded."""


class _Work:
    """The remaining work budget."""

    __slots__ = ("remaining",)

    def __init__(self, limit: int) -> None:
        self.remaining = limit

    def spend(self, units: int) -> None:
        self.remaining -= units
        if self.remaining < 0:
            raise _WorkLimitExceededError


def create_delta(base: bytes, target: bytes) -> bytes:
    """Return a patch from `base` to `target`, even if it is longer than the target."""
    return _patch(target, _segments(base, target, _Work(_WORK_LIMIT)))


def shorter_delta(base: bytes, target: bytes) -> bytes | None:
    """Return a patch if it is shorter than the target (01 §10.3); None otherwise."""
    return _shorter(base, target, _Work(_WORK_LIMIT))


def consecutive_deltas(payloads: Sequence[bytes]) -> Iterator[bytes | None]:
    """Yield for each payload the patch from its predecessor.

    Yields None if the full payload is to be sent, as for the first. All patches together are limited to about 4 ms.
    """
    work = _Work(_WORK_LIMIT_OF_LIST)
    previous: bytes | None = None
    for payload in payloads:
        yield None if previous is None else _shorter(previous, payload, work)
        previous = payload


def apply_delta(base: bytes, delta: bytes) -> bytes:
    """Apply `delta` to `base` and return the target. Raises `DeltaError`."""
    header = _HEADER.match(delta)
    if header is None:
        raise DeltaError("no header")
    size, at = _from_digits(header.group(1)), header.end()
    parts: list[bytes] = []
    while (segment := _SEGMENT.match(delta, at)) is not None:
        count = _from_digits(segment.group(1))
        if segment.group(2) is None:  # a literal
            at = segment.end() + count
            part = delta[segment.end() : at]
        else:
            at = segment.end()
            offset = _from_digits(segment.group(2))
            part = base[offset : offset + count]
        if len(part) != count:
            raise DeltaError("segment out of bounds")
        parts.append(part)
    end, target = _END.fullmatch(delta, at), b"".join(parts)
    if end is None or len(target) != size or _checksum(target) != _from_digits(end.group(1)):
        raise DeltaError("wrong size or checksum")
    return target


_HEADER: Final = re.compile(rb"([0-9A-Z_a-z~]+)\n")
_SEGMENT: Final = re.compile(rb"([0-9A-Z_a-z~]+)(?::|@([0-9A-Z_a-z~]+),)")
_END: Final = re.compile(rb"([0-9A-Z_a-z~]+);")


def _shorter(base: bytes, target: bytes, work: _Work) -> bytes | None:
    segments = _segments(base, target, work)
    if sum(map(len, segments)) >= len(target):
        return None  # before the checksum, which is slow for a large payload
    patch = _patch(target, segments)
    return patch if len(patch) < len(target) else None


def _patch(target: bytes, segments: list[bytes]) -> bytes:
    return b"".join((_digits(len(target)), b"\n", *segments, _digits(_checksum(target)), b";"))


def _segments(base: bytes, target: bytes, work: _Work) -> list[bytes]:
    """Return the literals and copies of the target.

    Once the work limit is exceeded, the rest is one literal.
    """
    parts: list[bytes] = []
    done = 0
    with suppress(_WorkLimitExceededError):
        for start, length, offset in _copies(base, target, work):
            if start > done:
                parts += (_digits(start - done), b":", target[done:start])
            parts += (_digits(length), b"@", _digits(offset), b",")
            done = start + length
    if done < len(target):
        parts += (_digits(len(target) - done), b":", target[done:])
    return parts


_Copy = tuple[int, int, int]
"""A copy: position in the target, length, position in the base."""


class _Matcher(Protocol):
    """Finds parts of the base in the target."""

    def next_copy(self, done: int) -> _Copy | None:
        """Return the next worthwhile copy in `target[done:]`, or None."""


def _copies(base: bytes, target: bytes, work: _Work) -> Iterator[_Copy]:
    """Yield the copies in the order of the target."""
    if len(base) <= BLOCK:
        return
    matcher: _Matcher = (_RollingHashMatcher if max(len(base), len(target)) <= _MAX_SMALL_SIZE else _BlockMatcher)(
        base, target, work
    )
    done = 0
    while done + BLOCK < len(target) and (copy := matcher.next_copy(done)) is not None:
        yield copy
        done = copy[0] + copy[1]


class _RollingHashMatcher:
    """Matcher for small payloads: a hash table of blocks by rolling hash.

    It has one bucket per block, collisions included.
    """

    __slots__ = ("_base", "_buckets", "_hashes", "_target", "_work")

    def __init__(self, base: bytes, target: bytes, work: _Work) -> None:
        self._base, self._target, self._work = base, target, work
        work.spend(_PER_BLOCK * (len(base) + len(target)) // BLOCK)
        hashes = _window_hashes(base)[: len(base) - BLOCK : BLOCK]
        size = len(base) // BLOCK
        self._buckets: list[list[int]] = [[] for _ in range(size)]
        for block in reversed(range(len(hashes))):  # the last block of a bucket is tried first
            self._buckets[hashes[block] % size].append(block * BLOCK)
        self._hashes = _window_hashes(target)

    def next_copy(self, done: int) -> _Copy | None:
        """Return the longest copy at the first matching window."""
        base, target = self._base, self._target
        buckets, hashes, size = self._buckets, self._hashes, len(self._buckets)
        for position in range(done, len(hashes)):
            found = buckets[hashes[position] % size]
            self._work.spend(_PER_WINDOW * (1 + len(found)))
            at, before = target[position], target[position - 1]
            sources = [source for source in found if base[source] == at or base[source - 1] == before]
            if sources:  # most collisions end here
                self._work.spend(_PER_HIT + _PER_CANDIDATE * len(sources))
                if copy := _longest(base, sources, target, position, done):
                    return copy
        return None


class _BlockMatcher:
    """For large payloads: comparison in place, then a dictionary of blocks.

    Payloads are repetitive, so a block often has many positions. Positions that continue the last long copy are
    preferred (`_shift`: its position in the base minus that in the target). A short copy is only used if no longer one
    starts within the next block.
    """

    __slots__ = ("_base", "_difference", "_positions", "_shift", "_start", "_target", "_work")

    def __init__(self, base: bytes, target: bytes, work: _Work) -> None:
        self._base, self._target, self._work = base, target, work
        self._shift = 0
        self._difference = b""
        self._start = 0  # of the compared chunk of the target
        self._positions: dict[bytes, list[int]] = {}

    def next_copy(self, done: int) -> _Copy | None:
        """Return a copy found in place, or else by the index."""
        return self._copy_in_place(done) or self._copy_from_index(done)

    def _copy_in_place(self, done: int) -> _Copy | None:
        """Return a copy at the current shift, if target and base match again soon."""
        at = done - self._start
        if not 0 <= at <= len(self._difference) - _MAX_IN_PLACE_GAP:
            self._compare(done)
            at = 0
        self._work.spend(_PER_COPY_IN_PLACE)
        equal = _EQUAL.search(self._difference, at)
        if equal is None or equal.start() - at > _MAX_IN_PLACE_GAP:
            return None
        length = equal.end() - equal.start()
        position = self._start + equal.start()
        source = position + self._shift
        if equal.end() == len(self._difference):  # it may continue after the chunk
            length = _common_prefix(self._base, source, self._target, position)
        return position, length, source

    def _compare(self, start: int) -> None:
        """Compare the chunk of the target at `start` with the base, at the current shift."""
        self._work.spend(_PER_CHUNK)
        source = start + self._shift
        target_slice, base_slice = self._target[start : start + _CHUNK], self._base[source : source + _CHUNK]
        size = min(len(target_slice), len(base_slice)) if source >= 0 else 0
        difference = int.from_bytes(target_slice[:size], "big") ^ int.from_bytes(base_slice[:size], "big")
        self._difference = difference.to_bytes(size, "big")
        self._start = start

    def _copy_from_index(self, done: int) -> _Copy | None:
        if not self._positions:
            self._index()
        best: _Copy | None = None
        until = len(self._target)
        for position, sources in self._matching_windows(done):
            if position > until:
                break
            copy = _longest(self._base, sources, self._target, position, done)
            if copy is not None and (best is None or copy[1] > best[1]):
                best = copy
                if best[1] >= _GOOD_COPY:
                    self._set_shift(best[2] - best[0])
                    break
                until = min(until, position + BLOCK)
        return best

    def _index(self) -> None:
        base, positions_of = self._base, self._positions
        self._work.spend(_PER_BLOCK * len(base) // BLOCK)
        for at in range(0, len(base) - BLOCK, BLOCK):
            positions_of.setdefault(base[at : at + BLOCK], []).append(at)

    def _set_shift(self, shift: int) -> None:
        """Set the shift of comparisons in place."""
        if shift != self._shift:
            self._shift = shift
            self._difference = b""

    def _matching_windows(self, done: int) -> Iterator[tuple[int, list[int]]]:
        """Yield the windows of the target from `done` on that the base contains.

        Each comes with its positions in the base.
        """
        last = len(self._target) - BLOCK
        dense_end = min(done + _EXACT_RUN, last + 1)
        for start in range(done, dense_end, _STRIDE):
            yield from self._matching_windows_among(range(start, min(start + _STRIDE, dense_end)))
        for start in range(dense_end, last + 1, _STRIDE * _SPARSE_STEP):
            yield from self._matching_windows_among(
                range(start, min(start + _STRIDE * _SPARSE_STEP, last + 1), _SPARSE_STEP)
            )

    def _matching_windows_among(self, positions: range) -> Iterator[tuple[int, list[int]]]:
        base, target, positions_of, shift = self._base, self._target, self._positions, self._shift
        self._work.spend(_PER_WINDOW * len(positions))
        for position in positions:
            window = target[position : position + BLOCK]
            expected = position + shift
            if expected >= 0 and base[expected : expected + BLOCK] == window:
                sources = [expected]
            elif (candidates := positions_of.get(window)) is not None:
                nearest = bisect_left(candidates, expected)
                sources = candidates[max(nearest - 1, 0) : nearest + 1]
            else:
                continue
            self._work.spend(_PER_HIT + _PER_CANDIDATE * len(sources))
            yield position, sources


def _longest(base: bytes, sources: Iterable[int], target: bytes, position: int, done: int) -> _Copy | None:
    """Return the longest copy around `position` that saves bytes.

    It starts at `done` or later.
    """
    best: _Copy | None = None
    longest = 0
    for source in sources:
        back = _common_suffix(base, source, target, position, min(source - 1, position - done))
        length = back + _common_prefix(base, source, target, position)
        if length > longest:
            start, offset = position - back, source - back
            if length >= _digit_count(start - done) + _digit_count(length) + _digit_count(offset) + 3:
                best, longest = (start, length, offset), length
    return best


_HASH_FACTOR: Final = sum((1 + ((BLOCK - i) << 16)) << (32 * (BLOCK - 1 - i)) for i in range(BLOCK))


def _window_hashes(data: bytes) -> tuple[int, ...]:
    """Return the hash of every 16-byte window, by its start.

    The hash is, with i from 0, Σ x + (Σ (16 - i)·x << 16). Sums of weighted neighbours are a product of polynomials. A
    product of long integers computes it, with 32 bits for each coefficient, which is enough. This is ten times as fast
    as a loop.
    """
    lanes = bytearray(4 * len(data))
    lanes[::4] = data
    product = int.from_bytes(lanes, "little") * _HASH_FACTOR
    size = len(data) + BLOCK
    return struct.unpack(f"<{size}I", product.to_bytes(4 * size, "little"))[BLOCK - 1 : len(data)]


def _common_prefix(base: bytes, source: int, target: bytes, position: int) -> int:
    """Return the length of the common prefix of the slices at the two positions.

    The slices are `base[source:]` and `target[position:]`. Compares growing slices.
    """
    limit = min(len(base) - source, len(target) - position)
    same, step = 0, 32
    while same < limit:
        step = min(step, limit - same)
        base_slice, target_slice = (
            base[source + same : source + same + step],
            target[position + same : position + same + step],
        )
        if base_slice != target_slice:
            difference = int.from_bytes(base_slice, "big") ^ int.from_bytes(target_slice, "big")
            return same + step - (difference.bit_length() + 7) // 8
        same += step
        step *= 2
    return same


def _common_suffix(base: bytes, source: int, target: bytes, position: int, limit: int) -> int:
    """Return the length of the common suffix before the two positions.

    The positions are `base[source]` and `target[position]`. The length is at most `limit`.
    """
    same, step = 0, 32
    while same < limit:
        step = min(step, limit - same)
        base_slice = base[source - same - step : source - same]
        target_slice = target[position - same - step : position - same]
        if base_slice != target_slice:
            difference = int.from_bytes(base_slice, "little") ^ int.from_bytes(target_slice, "little")
            return same + step - (difference.bit_length() + 7) // 8
        same += step
        step *= 2
    return same


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & 0xFFFFFFFF


def _digit_count(number: int) -> int:
    return max(1, (number.bit_length() + 5) // 6)


def _digits(number: int) -> bytes:
    if number < 64:
        return _DIGITS[number : number + 1]
    if number < 4096:
        return bytes((_DIGITS[number >> 6], _DIGITS[number & 63]))
    if number < 262_144:
        return bytes((_DIGITS[number >> 12], _DIGITS[number >> 6 & 63], _DIGITS[number & 63]))
    return bytes(_DIGITS[number >> shift & 63] for shift in range(6 * (_digit_count(number) - 1), -1, -6))


def _from_digits(digits: bytes) -> int:
    value = 0
    for digit in digits:
        value = value << 6 | _DIGIT_VALUES[digit]
    return value
