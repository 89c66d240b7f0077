"""What is published: a JSON object with the moment of publishing in it and a mark to count it by."""

import re
import time
from typing import Final

MARK: Final = "\N{ROCKET}".encode()[:2]
"""The first half of the one emoji in every payload. Its two bytes can stand in no frame header of the sizes sent here
(as a length they are 61599) nor in the rest of a message, so counting them in the stream counts the messages."""

_STAMPED: Final = re.compile(rb'"t":(\d{16})')


_EPOCH_US: Final = 10**15
"""Added to the clock, so that a stamp is a JSON number of 16 digits however long the machine has been up."""


def now_us() -> int:
    """Microseconds of the clock that stamps payloads, the same for all processes of the machine."""
    return time.monotonic_ns() // 1000 + _EPOCH_US


def stamped(filler: str = "x" * 25) -> bytes:
    """Return a payload stamped now; `filler` sets its size. By default a push of it on `fan` has 102 bytes."""
    return b'{"t":%d,"m":"%s\xf0\x9f\x9a\x80"}' % (now_us(), filler.encode())


def stamps(data: bytes) -> list[int]:
    """Return the stamps of all payloads in `data`."""
    return [int(digits) for digits in _STAMPED.findall(data)]
