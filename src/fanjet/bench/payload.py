"""Published payloads: a JSON object with a timestamp and a marker for counting."""

import re
import time
from typing import Final

MARKER: Final = "\N{ROCKET}".encode()[:2]
"""The first half of the only emoji in each payload. Its two bytes occur neither in frame headers of the sizes sent here
(as a length they are 61599) nor elsewhere in a message, so counting them in the stream counts the messages."""

_STAMPED: Final = re.compile(rb'"t":(\d{16})')


_EPOCH_US: Final = 10**15
"""Added to the clock, so that a timestamp always has 16 digits."""


def now_us() -> int:
    """The clock of timestamps in microseconds, shared by all processes of the machine."""
    return time.monotonic_ns() // 1000 + _EPOCH_US


def timestamped_payload(filler: str = "x" * 25) -> bytes:
    """Return a payload with the current time; `filler` sets its size.

    A push of the default on `fan` has 102 bytes.
    """
    return b'{"t":%d,"m":"%s\xf0\x9f\x9a\x80"}' % (now_us(), filler.encode())


def timestamps(data: bytes) -> list[int]:
    """Return the stamps of all payloads in `data`."""
    return [int(digits) for digits in _STAMPED.findall(data)]
