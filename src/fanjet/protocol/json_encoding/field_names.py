"""Matches JSON keys to field names in any letter case (01 §2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

F = TypeVar("F")


def fold(key: str) -> str:
    """Fold a key by Unicode simple case folding.

    Folds as far as needed to match ASCII names.
    """
    if not key.isascii():
        key = key.replace("\u017f", "s").replace("\u212a", "k")
    return key.lower()


class FieldNames(Generic[F]):
    """Fields of one struct by name.

    Raises ValueError for names that are not ASCII or fold to the same key.
    """

    __slots__ = ("_exact", "_folded")

    def __init__(self, fields: Mapping[str, F]) -> None:
        self._exact = dict(fields)
        self._folded = {fold(name): field for name, field in fields.items()}
        if len(self._folded) != len(self._exact) or not all(map(str.isascii, self._exact)):
            raise ValueError("field names must be ASCII and differ by more than letter case")

    def find(self, key: str) -> F | None:
        """Return the field with this name, or None.

        A field with exactly this name takes precedence over one in another letter case.
        """
        field = self._exact.get(key)
        return self._folded.get(fold(key)) if field is None else field
