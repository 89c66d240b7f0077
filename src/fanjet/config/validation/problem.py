"""Validation rules: functions that yield a text for each problem."""

import re
from collections.abc import Callable, Iterable, Iterator

from fanjet.config.tree.root import Config

Problems = Iterator[str]
Rule = Callable[[Config], Problems]

NAME = re.compile(r"[-a-zA-Z0-9_.]{2,}")
NAME_PATTERN = "^[-a-zA-Z0-9_.]{2,}$"
"""What names of namespaces and proxies look like."""


def within(prefix: str, problems: Iterable[str]) -> Problems:
    """Prefix each problem with its key."""
    return (f"{prefix}: {problem}" for problem in problems)


def repeated(names: Iterable[str]) -> Iterator[bool]:
    """Yield for each name whether it is a repetition."""
    seen: set[str] = set()
    for name in names:
        yield name in seen
        seen.add(name)
