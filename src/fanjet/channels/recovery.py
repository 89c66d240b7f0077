"""Decides recovery, and merges recovered with buffered publications.

See 01 §8.3 and §8.4.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from fanjet.protocol.publication import Publication, StreamPosition
from fanjet.protocol.tags_filter import TagsFilter


class InsufficientState(Exception):  # noqa: N818 (named like the disconnect it leads to)
    """Publications are missing between those read and those delivered.

    The connection ends with disconnect 3010.
    """


class Recovery(NamedTuple):
    """Whether recovery succeeded, and the publications to deliver.

    There are none after a failure.
    """

    recovered: bool
    publications: list[Publication]


class Merged(NamedTuple):
    """The publications of the subscribe result, and the subscription's position."""

    publications: list[Publication]
    offset: int


NOT_RECOVERED: Final = Recovery(False, [])


def decide_stream(
    since: StreamPosition, read: Sequence[Publication], top: StreamPosition, tags_filter: TagsFilter | None = None
) -> Recovery:
    """Decide in stream mode.

    `read`: the stream after `since`, up to the recovery limit. Recovers all or nothing.

    An empty epoch in `since` is not checked.
    """
    if since.epoch and since.epoch != top.epoch:
        return NOT_RECOVERED
    missed = range(since.offset + 1, top.offset + 1)
    if len(read) != len(missed) or top.offset < since.offset:
        return NOT_RECOVERED
    if [publication.offset for publication in read] != list(missed):
        return NOT_RECOVERED
    return Recovery(True, _matching(read, tags_filter))


def decide_cache(
    since: StreamPosition, newest: Sequence[Publication], top: StreamPosition, tags_filter: TagsFilter | None = None
) -> Recovery:
    """Decide in cache mode.

    `newest`: the newest publications, newest first; one is enough without a filter.

    The newest one decides whether the state is current. Delivered is the newest that passes the filter, and nothing to
    a client with the current state.
    """
    same_state = since.offset > 0 and since == top
    matching = _matching(newest, tags_filter)
    if not matching:
        return Recovery(same_state, [])
    if newest[0].offset != top.offset:
        return NOT_RECOVERED
    return Recovery(True, [] if same_state else matching[:1])


def merge(
    recovery: Recovery,
    buffered: Sequence[Publication],
    top: int,
    tags_filter: TagsFilter | None = None,
    *,
    latest_only: bool = False,
) -> Merged:
    """Merge recovered publications with `buffered` ones.

    The buffered ones were delivered since registration in any order, possibly repeated.

    `top` is the stream's offset at the read. Filtered publications are not in the result, but count as present.
    Publications outside the stream are ignored. `latest_only`: keep the last one (cache mode without delta). Raises
    `InsufficientState`.
    """
    if not buffered:  # the usual case
        return Merged(recovery.publications[-1:] if latest_only else recovery.publications, top)
    by_offset = {publication.offset: publication for publication in buffered if publication.offset}
    if recovery.recovered:
        later = sorted(offset for offset in by_offset if offset > top)
        _require_consecutive(later, top + 1)
        merged = recovery.publications + _matching((by_offset[offset] for offset in later), tags_filter)
        return Merged(merged[-1:] if latest_only else merged, later[-1] if later else top)
    if by_offset:
        _require_no_hole(by_offset, tags_filter)
    return Merged([], max([top, *by_offset]))


def _matching(publications: Iterable[Publication], tags_filter: TagsFilter | None) -> list[Publication]:
    if tags_filter is None:
        return list(publications)
    return [publication for publication in publications if tags_filter.matches(publication.tags)]


def _require_consecutive(offsets: list[int], first: int) -> None:
    """Require sorted distinct offsets without a gap.

    There is none when the last one equals the first plus their number.
    """
    if offsets and (offsets[0] != first or offsets[-1] - first + 1 != len(offsets)):
        raise InsufficientState


def _require_no_hole(by_offset: dict[int, Publication], tags_filter: TagsFilter | None) -> None:
    """Between any two publications that pass the filter, all others must be present."""
    passing = [publication.offset for publication in _matching(by_offset.values(), tags_filter)]
    if passing:
        lowest, highest = min(passing), max(passing)
        between = sum(lowest <= offset <= highest for offset in by_offset)
        if between != highest - lowest + 1:
            raise InsufficientState
