"""Matches channels against namespace patterns with variables (03 §14.2). Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from fanjet.config.channel_pattern import ChannelPattern, parse_pattern

T = TypeVar("T")

PREFIX = "/"
"""The prefix of channels that are matched by pattern only."""


class _Row(NamedTuple, Generic[T]):
    pattern: ChannelPattern
    match: Callable[[str], re.Match[str] | None]
    target: T


class PatternTable(Generic[T]):
    """Targets of the patterns of a valid configuration."""

    def __init__(self, targets: Iterable[tuple[str, T]]) -> None:
        rows = [
            _Row(pattern, re.compile(pattern.expression).fullmatch, target)
            for pattern, target in ((parse_pattern(text), target) for text, target in targets)
        ]
        rows.sort(key=lambda row: row.pattern.order)
        self._by_depth: dict[int, list[_Row[T]]] = {}
        for row in rows:
            self._by_depth.setdefault(row.pattern.depth, []).append(row)

    def find(self, channel: str) -> tuple[T, Mapping[str, str]] | None:
        """Return the target of the most specific matching pattern.

        The values of its variables are returned too.
        """
        for pattern, match, target in self._by_depth.get(channel.count(PREFIX), ()):
            found = match(channel)
            if found is not None:
                return target, dict(zip(pattern.variables, found.groups(), strict=True))
        return None
