"""Connection ids that encode the owning process (RFC 9000 sections 5.1 and 10.3)."""

import hashlib
import os
from typing import Final

_NUMBER_BYTES: Final = 2
_RANDOM_BYTES: Final = 6
ID_BYTES: Final = _NUMBER_BYTES + _RANDOM_BYTES
TOKEN_BYTES: Final = 16

HIGHEST_NUMBER: Final = (1 << 8 * _NUMBER_BYTES) - 1
"""The highest process number."""


class ConnectionIds:
    """Creates the connection ids of one process.

    All processes on one address share the `key` and have different numbers. Without the key, neither the number can be
    read nor ids of one process be linked.
    """

    __slots__ = ("_key", "number")

    def __init__(self, key: bytes, number: int) -> None:
        """`number` is up to `HIGHEST_NUMBER`."""
        self._key = key
        self.number = number

    def new(self) -> bytes:
        """Create an id."""
        rest = os.urandom(_RANDOM_BYTES)
        return (self.number ^ self._mask(rest)).to_bytes(_NUMBER_BYTES, "big") + rest

    def owner(self, connection_id: bytes) -> int:
        """The number of the process that created this id of `ID_BYTES`.

        An arbitrary number for ids created by clients.
        """
        return int.from_bytes(connection_id[:_NUMBER_BYTES], "big") ^ self._mask(connection_id[_NUMBER_BYTES:])

    def reset_token(self, connection_id: bytes) -> bytes:
        """The stateless reset token of an id, the same in all processes."""
        return hashlib.blake2s(connection_id, digest_size=TOKEN_BYTES, key=self._key, person=b"reset").digest()

    def _mask(self, rest: bytes) -> int:
        digest = hashlib.blake2s(rest, digest_size=_NUMBER_BYTES, key=self._key, person=b"number").digest()
        return int.from_bytes(digest, "big")


def destination_id(datagram: bytes) -> bytes:
    """Return the destination id of the first packet in a non-empty datagram.

    It is `ID_BYTES` long unless it was created by the client or the datagram is truncated.
    """
    if datagram[0] & 0x80:
        size = datagram[5] if len(datagram) > 5 else 0
        return datagram[6 : 6 + size]
    return datagram[1 : 1 + ID_BYTES]


def stateless_reset(datagram: bytes, token: bytes) -> bytes:
    """Return a stateless reset for a datagram of an unknown connection.

    It is empty if the datagram is too small. It is smaller than the datagram, which prevents endless loops between two
    endpoints.
    """
    size = min(len(datagram) - 1, _RESET_BYTES)
    if size < _SMALLEST_RESET:
        return b""
    noise = os.urandom(size - TOKEN_BYTES)
    return bytes([0x40 | noise[0] & 0x3F]) + noise[1:] + token


_RESET_BYTES: Final = 43
"""The length of a small packet."""
_SMALLEST_RESET: Final = 21
