"""Durations as the configuration writes them: `1h30m`, `250ms`, `-1.5s` (04 §2.1)."""

import re
from decimal import Decimal

SECOND = 1_000_000_000
"""Nanoseconds in a second: what durations are counted in while they are parsed and printed."""

LARGEST = 2**63 - 1
"""Nanoseconds that fit the 64 bits the contract gives a duration, about 292 years."""

_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000}
_UNITS |= {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_PART = re.compile(r"(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)(?P<unit>[^0-9.]*)")


def parse_duration(text: str) -> float:
    """Return the seconds that `text` stands for.

    Raises ValueError, whose text names what is wrong.
    """
    return nanoseconds_to_seconds(_parse_nanoseconds(text))


def nanoseconds_to_seconds(count: int) -> float:
    """Return seconds.

    Raises ValueError when `count` is beyond what a duration can hold.
    """
    if not -LARGEST - 1 <= count <= LARGEST:
        raise ValueError("duration out of range")
    return count / SECOND


def format_duration(seconds: float) -> str:
    """Return the canonical text: `168h0m0s`, `1m0s`, `1.5s`, `300ms`, `0s`."""
    count = max(-LARGEST - 1, min(LARGEST, round(seconds * SECOND)))
    sign, count = ("-", -count) if count < 0 else ("", count)
    if 0 < count < SECOND:
        return sign + _below_a_second(count)
    minutes, rest = divmod(count, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, SECOND)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _parse_nanoseconds(text: str) -> int:
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0
    if not unsigned:
        raise ValueError(f'invalid duration "{text}"')
    total, position = 0, 0
    while position < len(unsigned):
        part = _PART.match(unsigned, position)
        if part is None:
            raise ValueError(f'invalid duration "{text}"')
        total += int(Decimal(part["number"]) * _unit(part["unit"], text))
        position = part.end()
    return -total if text[0] == "-" else total


def _unit(unit: str, text: str) -> int:
    if not unit:
        raise ValueError(f'missing unit in duration "{text}"')
    if unit not in _UNITS:
        raise ValueError(f'unknown unit "{unit}" in duration "{text}"')
    return _UNITS[unit]


def _below_a_second(count: int) -> str:
    for unit in ("ms", "µs", "ns"):
        if count >= _UNITS[unit]:
            return f"{_decimal(count, _UNITS[unit])}{unit}"
    return "0s"


def _decimal(count: int, unit: int) -> str:
    """Write `count / unit` without trailing zeros; `unit` is a power of ten."""
    whole, fraction = divmod(count, unit)
    digits = f"{fraction:0{len(str(unit)) - 1}d}".rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
