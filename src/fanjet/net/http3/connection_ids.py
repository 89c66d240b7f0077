"""Connection ids that tell which of several processes has the connection (RFC 9000 sections 5.1 and 10.3)."""

import hashlib
import os
from typing import Final

_NUMBER_BYTES: Final = 2
_RANDOM_BYTES: Final = 6
ID_BYTES: Final = _NUMBER_BYTES + _RANDOM_BYTES
TOKEN_BYTES: Final = 16

HIGHEST_NUMBER: Final = (1 << 8 * _NUMBER_BYTES) - 1
"""Of a process."""


class ConnectionIds:
    """Makes the ids of one process.

    All processes that are served on one address have the same `key` and different numbers. Who does not have the key
    can neither read the number nor tell by it which ids belong together.
    """

    __slots__ = ("_key", "number")

    def __init__(self, key: bytes, number: int) -> None:
        """`number` is up to `HIGHEST_NUMBER`."""
        self._key = key
        self.number = number

    def new(self) -> bytes:
        """Make an id."""
        rest = os.urandom(_RANDOM_BYTES)
        return (self.number ^ self._mask(rest)).to_bytes(_NUMBER_BYTES, "big") + rest

    def owner(self, connection_id: bytes) -> int:
        """The number of the process that has made this id of `ID_BYTES`; any number for one that a client made."""
        return int.from_bytes(connection_id[:_NUMBER_BYTES], "big") ^ self._mask(connection_id[_NUMBER_BYTES:])

    def reset_token(self, connection_id: bytes) -> bytes:
        """What tells a client that the connection of this id is no more, whichever process says so."""
        return hashlib.blake2s(connection_id, digest_size=TOKEN_BYTES, key=self._key, person=b"reset").digest()

    def _mask(self, rest: bytes) -> int:
        digest = hashlib.blake2s(rest, digest_size=_NUMBER_BYTES, key=self._key, person=b"number").digest()
        return int.from_bytes(digest, "big")


def destination_id(datagram: bytes) -> bytes:
    """Return the id in the first packet of a datagram that is not empty: of `ID_BYTES` unless it was made by the
    client, or the datagram is cut off."""
    if datagram[0] & 0x80:
        size = datagram[5] if len(datagram) > 5 else 0
        return datagram[6 : 6 + size]
    return datagram[1 : 1 + ID_BYTES]


def stateless_reset(datagram: bytes, token: bytes) -> bytes:
    """Return the answer to a datagram for a connection that is no more; nothing for one too small to be answered.

    It is smaller than what it answers, so that two who know nothing of each other do not go on for ever.
    """
    size = min(len(datagram) - 1, _RESET_BYTES)
    if size < _SMALLEST_RESET:
        return b""
    noise = os.urandom(size - TOKEN_BYTES)
    return bytes([0x40 | noise[0] & 0x3F]) + noise[1:] + token


_RESET_BYTES: Final = 43
"""As long as a small packet of a connection."""
_SMALLEST_RESET: Final = 21
