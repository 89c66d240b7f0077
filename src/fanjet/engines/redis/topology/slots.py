"""Hash slots of a Redis Cluster."""

from binascii import crc_hqx
from typing import Final

SLOTS: Final = 16384


def slot_of(key: bytes | str) -> int:
    """The slot of a key: computed from its hash tag, if it has one."""
    raw = key.encode() if isinstance(key, str) else key
    start = raw.find(b"{")
    if start >= 0:
        end = raw.find(b"}", start + 1)
        if end > start + 1:
            raw = raw[start + 1 : end]
    return crc_hqx(raw, 0) % SLOTS
