"""Epochs, which identify an incarnation of a channel's stream (07 §2.1)."""

import secrets
from string import ascii_letters
from typing import Final

EPOCH_LENGTH: Final = 8

_BATCH: Final = 4096
_LETTERS: Final = len(ascii_letters)
_UNBIASED: Final = 256 - 256 % _LETTERS
_AS_LETTER: Final = bytes(ord(ascii_letters[byte % _LETTERS]) for byte in range(256))
_BIASED: Final = bytes(range(_UNBIASED, 256))
"""Bytes to drop, because they would bias the letters."""


class _Letters:
    """Random letters, generated in batches.

    Remote engines pass an epoch with every call, in case none exists yet.
    """

    def __init__(self) -> None:
        self._buffer = ""
        self._next = 0

    def take(self, count: int) -> str:
        start, self._next = self._next, self._next + count
        if self._next > len(self._buffer):
            self._buffer = secrets.token_bytes(_BATCH).translate(_AS_LETTER, _BIASED).decode()
            start, self._next = 0, count
        return self._buffer[start : self._next]


_letters = _Letters()


def new_epoch() -> str:
    """Eight random letters.

    Engines embed epochs in messages, so they contain nothing else (no `:`, no `_`).
    """
    return _letters.take(EPOCH_LENGTH)
