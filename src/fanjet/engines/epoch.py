"""Epochs: one incarnation of a channel's stream has one (07 §2.1)."""

import secrets
from string import ascii_letters
from typing import Final

EPOCH_LENGTH: Final = 8

_BATCH: Final = 4096
_LETTERS: Final = len(ascii_letters)
_FAIR: Final = 256 - 256 % _LETTERS
_AS_LETTER: Final = bytes(ord(ascii_letters[byte % _LETTERS]) for byte in range(256))
_UNFAIR: Final = bytes(range(_FAIR, 256))
"""Bytes that would make some letters likelier than others."""


class _Letters:
    """Random letters, made many at a time: remote engines want an epoch with every call, in case there is none yet."""

    def __init__(self) -> None:
        self._stock = ""
        self._next = 0

    def take(self, count: int) -> str:
        start, self._next = self._next, self._next + count
        if self._next > len(self._stock):
            self._stock = secrets.token_bytes(_BATCH).translate(_AS_LETTER, _UNFAIR).decode()
            start, self._next = 0, count
        return self._stock[start : self._next]


_letters = _Letters()


def new_epoch() -> str:
    """Eight random letters. Engines embed epochs in messages, so nothing else may occur in them (no `:`, no `_`)."""
    return _letters.take(EPOCH_LENGTH)
