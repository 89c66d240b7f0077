"""Tags filters: select publications of a channel by their tags (01 §11).

A filter is validated and compiled once per subscription and evaluated once per publication and distinct filter.
Therefore filters with the same tree are equal and have the same hash.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from .messages import FilterNode
from .publication import Publication
from .schema import MAX_FILTER_DEPTH

Tags = Mapping[str, str]
_Predicate = Callable[[Tags], bool]

_NO_TAGS: Final[Tags] = {}


class InvalidFilter(Exception):  # noqa: N818 (named like the protocol's codes)
    """The filter breaks a rule of 01 §11.1.

    The subscribe command is answered with error 107.
    """


class TagsFilter:
    """A valid filter. Raises `InvalidFilter`.

    `intersected_with`: the argument of `intersection`, on its result.
    """

    __slots__ = ("_hash", "_key", "_predicate", "intersected_with")

    def __init__(self, node: FilterNode) -> None:
        self._predicate = _compile(node, 1)
        self._key = _filter_key(node)
        self._hash = hash(self._key)
        self.intersected_with: TagsFilter | None = None

    def intersection(self, other: "TagsFilter | None") -> "TagsFilter":
        """Return a filter that matches if both filters match.

        If `other` is None, that is this filter.
        """
        if other is None:
            return self
        both = TagsFilter.__new__(TagsFilter)
        both._predicate = _and([self._predicate, other._predicate])
        both._key = ("intersection", self._key, other._key)
        both._hash = hash(both._key)
        both.intersected_with = other
        return both

    def matches(self, tags: Tags | None) -> bool:
        """Return whether a publication with these tags matches."""
        return self._predicate(_NO_TAGS if tags is None else tags)

    def matching(self, publications: Iterable[Publication]) -> list[Publication]:
        """Return the publications that match."""
        return [publication for publication in publications if self.matches(publication.tags)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TagsFilter) and self._hash == other._hash and self._key == other._key

    def __hash__(self) -> int:
        return self._hash


def _filter_key(node: FilterNode) -> tuple[object, ...]:
    """Return the fields of a valid filter that determine its meaning."""
    if node.op:
        return (node.op, *[_filter_key(child) for child in node.nodes if child is not None])
    return (node.cmp, node.key, node.val, *node.vals)


def _compile(node: FilterNode | None, depth: int) -> _Predicate:
    if node is None:
        raise InvalidFilter("null in place of a node")
    if depth > MAX_FILTER_DEPTH:
        raise InvalidFilter("nested too deep")
    if not node.op:
        return _compile_leaf(node)
    make = _LOGICAL.get(node.op)
    if make is None:
        raise InvalidFilter("unknown op")
    if not node.nodes or (node.op == "not" and len(node.nodes) != 1):
        raise InvalidFilter("wrong number of nodes")
    return make([_compile(child, depth + 1) for child in node.nodes])


def _compile_leaf(node: FilterNode) -> _Predicate:
    if node.cmp in _PRESENCE:
        _require(not node.val and not node.vals)
        return _PRESENCE[node.cmp](node.key)
    _require(bool(node.key))
    if node.cmp in _MEMBERSHIP:
        _require(bool(node.vals) and not node.val)
        return _MEMBERSHIP[node.cmp](node.key, frozenset(node.vals))
    _require(node.cmp in _COMPARISON and bool(node.val) and not node.vals)
    return _COMPARISON[node.cmp](node.key, node.val)


def _require(holds: bool) -> None:
    if not holds:
        raise InvalidFilter("fields do not go with cmp")


# ---------------------------------------------------------------------------------------------- predicates (§11.2)


def _and(predicates: list[_Predicate]) -> _Predicate:
    return lambda tags: all(predicate(tags) for predicate in predicates)


def _or(predicates: list[_Predicate]) -> _Predicate:
    return lambda tags: any(predicate(tags) for predicate in predicates)


def _not(predicates: list[_Predicate]) -> _Predicate:
    (predicate,) = predicates
    return lambda tags: not predicate(tags)


def _numeric(holds: Callable[[int, int], bool]) -> Callable[[str, str], _Predicate]:
    """Make a numeric comparison of tags, false if either side is no number."""

    def compile_comparison(key: str, val: str) -> _Predicate:
        number = parse_decimal(val)
        if number is None:
            return lambda _tags: False

        def compare(tags: Tags) -> bool:
            value = parse_decimal(tags[key]) if key in tags else None
            return value is not None and holds(value, number)

        return compare

    return compile_comparison


_LOGICAL: Final[dict[str, Callable[[list[_Predicate]], _Predicate]]] = {"and": _and, "or": _or, "not": _not}
_PRESENCE: Final[dict[str, Callable[[str], _Predicate]]] = {
    "ex": lambda key: lambda tags: key in tags,
    "nex": lambda key: lambda tags: key not in tags,
}
_MEMBERSHIP: Final[dict[str, Callable[[str, frozenset[str]], _Predicate]]] = {
    "in": lambda key, vals: lambda tags: tags.get(key, "") in vals,
    "nin": lambda key, vals: lambda tags: tags.get(key, "") not in vals,
}
_COMPARISON: Final[dict[str, Callable[[str, str], _Predicate]]] = {
    "eq": lambda key, val: lambda tags: tags.get(key) == val,
    "neq": lambda key, val: lambda tags: tags.get(key) != val,
    "sw": lambda key, val: lambda tags: tags.get(key, "").startswith(val),
    "ew": lambda key, val: lambda tags: tags.get(key, "").endswith(val),
    "ct": lambda key, val: lambda tags: val in tags.get(key, ""),
    "gt": _numeric(lambda value, number: value > number),
    "gte": _numeric(lambda value, number: value >= number),
    "lt": _numeric(lambda value, number: value < number),
    "lte": _numeric(lambda value, number: value <= number),
}

_FRACTION_DIGITS: Final = 19
_MAX_NUMBER_LENGTH: Final = 200
_DECIMAL: Final = re.compile(r"([+-]?[0-9]+)(?:\.([0-9]{1,19}))?")


def parse_decimal(text: str) -> int | None:
    """Return a decimal number times 10**19, for exact comparisons.

    Returns None if the text is no number (01 §11.2).
    """
    if len(text) > _MAX_NUMBER_LENGTH:
        return None
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    whole, fraction = match.group(1), match.group(2) or ""
    return int(whole + fraction.ljust(_FRACTION_DIGITS, "0"))
