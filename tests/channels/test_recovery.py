"""Recovery decisions; merging leaves neither gap nor duplicate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanjet.channels.recovery import (
    NOT_RECOVERED,
    InsufficientState,
    Merged,
    Recovery,
    decide_cache,
    decide_stream,
    merge,
)
from fanjet.protocol.messages import FilterNode
from fanjet.protocol.publication import Publication, StreamPosition
from fanjet.protocol.tags_filter import TagsFilter

WANTED = TagsFilter(FilterNode(key="want", cmp="eq", val="1"))


def at(offset: int, epoch: str = "a") -> StreamPosition:
    return StreamPosition(offset, epoch)


def pub(offset: int, *, wanted: bool = True) -> Publication:
    return Publication(str(offset).encode(), offset, tags={"want": "1" if wanted else "0"})


def pubs(*offsets: int) -> list[Publication]:
    """Publications; a negative offset stands for one that the filter rejects."""
    return [pub(abs(offset), wanted=offset > 0) for offset in offsets]


def offsets(publications: list[Publication]) -> list[int]:
    return [publication.offset for publication in publications]


# ------------------------------------------------------------------------------------------------------ stream mode


@pytest.mark.parametrize(
    ("since", "read", "top", "recovered"),
    [
        pytest.param(at(3), [4, 5], at(5), True, id="contiguous"),
        pytest.param(at(5), [], at(5), True, id="nothing-missed"),
        pytest.param(at(0, ""), [1, 2], at(2), True, id="from-the-beginning"),
        pytest.param(at(0, ""), [], at(0), True, id="empty-stream"),
        pytest.param(at(3, ""), [4, 5], at(5), True, id="no-epoch-is-not-checked"),
        pytest.param(at(3), [5], at(5), False, id="trimmed"),
        pytest.param(at(3), [], at(5), False, id="all-gone"),
        pytest.param(at(0, ""), [3, 4], at(4), False, id="beginning-trimmed"),
        pytest.param(at(3), [4, 5], at(9), False, id="more-than-the-limit"),
        pytest.param(at(7), [], at(5), False, id="beyond-top"),
        pytest.param(at(3, "b"), [4, 5], at(5), False, id="epoch-changed"),
        pytest.param(at(5, "b"), [], at(5), False, id="epoch-changed-at-top"),
        pytest.param(at(0, "_"), [1], at(1), False, id="state-invalidated"),
        pytest.param(at(3), [4, 6], at(6), False, id="hole"),
        pytest.param(at(3), [4, 6, 7], at(7), False, id="hole-in-the-middle"),
    ],
)
def test_stream_mode(since, read, top, recovered):
    decision = decide_stream(since, pubs(*read), top)
    assert decision.recovered is recovered
    assert offsets(decision.publications) == (read if recovered else [])


def test_stream_mode_delivers_what_passes_the_filter():
    assert decide_stream(at(3), pubs(4, -5, 6), at(6), WANTED) == Recovery(True, pubs(4, 6))
    assert decide_stream(at(3), pubs(-4), at(4), WANTED) == Recovery(True, [])
    assert decide_stream(at(3), pubs(-5), at(5), WANTED) == NOT_RECOVERED


# ------------------------------------------------------------------------------------------------------ cache mode


@pytest.mark.parametrize(
    ("since", "newest", "top", "recovered", "delivered"),
    [
        pytest.param(at(0, ""), [5], at(5), True, [5], id="latest"),
        pytest.param(at(2), [5], at(5), True, [5], id="missed-some"),
        pytest.param(at(2, "b"), [5], at(5), True, [5], id="other-epoch"),
        pytest.param(at(5, "b"), [5], at(5), True, [5], id="other-epoch-at-the-same-offset"),
        pytest.param(at(5), [5], at(5), True, [], id="same-state"),
        pytest.param(at(5), [], at(5), True, [], id="same-state-and-nothing-stored"),
        pytest.param(at(3), [], at(5), False, [], id="nothing-stored"),
        pytest.param(at(0, ""), [], at(0, "a"), False, [], id="empty-stream"),
        pytest.param(at(0, "a"), [], at(0, "a"), False, [], id="offset-zero-is-never-the-same-state"),
        pytest.param(at(3), [5], at(6), False, [], id="newest-is-not-the-top"),
    ],
)
def test_cache_mode(since, newest, top, recovered, delivered):
    decision = decide_cache(since, pubs(*newest), top)
    assert decision.recovered is recovered
    assert offsets(decision.publications) == delivered


@pytest.mark.parametrize(
    ("since", "newest", "recovered", "delivered"),
    [
        pytest.param(at(2), [5, 4], True, [5], id="newest-passes"),
        pytest.param(at(2), [-5, -4, 3], True, [3], id="an-older-one-passes"),
        pytest.param(at(2), [-5, -4], False, [], id="none-passes"),
        pytest.param(at(5), [-5, -4], True, [], id="none-passes-and-same-state"),
        pytest.param(at(5), [-5, 4], True, [], id="older-passes-and-same-state"),
    ],
)
def test_cache_mode_with_a_filter(since, newest, recovered, delivered):
    decision = decide_cache(since, pubs(*newest), at(5), WANTED)
    assert decision.recovered is recovered
    assert offsets(decision.publications) == delivered


# ------------------------------------------------------------------------------------------------------ merge

GAP = None


@pytest.mark.parametrize(
    ("recovered", "buffered", "top", "result"),
    [
        pytest.param([4, 5], [], 5, ([4, 5], 5), id="nothing-buffered"),
        pytest.param([4, 5], [6, 7], 5, ([4, 5, 6, 7], 7), id="continues"),
        pytest.param([4, 5], [5, 6], 5, ([4, 5, 6], 6), id="overlaps"),
        pytest.param([4, 5], [2, 4, 5], 5, ([4, 5], 5), id="late-deliveries"),
        pytest.param([4, 5], [7, 6, 6, 7], 5, ([4, 5, 6, 7], 7), id="unordered-and-repeated"),
        pytest.param([4, 5], [7], 5, GAP, id="gap-after-top"),
        pytest.param([4, 5], [6, 8], 5, GAP, id="gap-in-the-buffer"),
        pytest.param([], [5], 5, ([], 5), id="nothing-missed-and-late-delivery"),
        pytest.param([], [7], 5, GAP, id="nothing-missed-and-gap"),
        pytest.param([4, 5], [-6, 7], 5, ([4, 5, 7], 7), id="marker-fills-its-place"),
        pytest.param([4, 5], [6, -7], 5, ([4, 5, 6], 7), id="marker-moves-the-position"),
        pytest.param([4], [-5, 6], 5, ([4, 6], 6), id="marker-before-top-is-dropped"),
        pytest.param([4, 5], [-7], 5, GAP, id="marker-behind-a-gap"),
        pytest.param([4, 5], [6], 5, ([4, 5, 6], 6), id="one-more"),
    ],
)
def test_merge_after_recovery(recovered, buffered, top, result):
    recovery = Recovery(True, pubs(*recovered))
    if result is GAP:
        with pytest.raises(InsufficientState):
            merge(recovery, pubs(*buffered), top, WANTED)
    else:
        merged = merge(recovery, pubs(*buffered), top, WANTED)
        assert (offsets(merged.publications), merged.offset) == result


@pytest.mark.parametrize(
    ("buffered", "top", "position"),
    [
        pytest.param([], 5, 5, id="nothing-buffered"),
        pytest.param([4, 5, 6], 5, 6, id="newer"),
        pytest.param([3], 5, 5, id="older"),
        pytest.param([6, 8], 5, GAP, id="gap"),
        pytest.param([6, -7, 8], 5, 8, id="gap-of-markers"),
        pytest.param([6, -7, 9], 5, GAP, id="marker-fills-half-of-the-gap"),
        pytest.param([6, -9], 5, 9, id="marker-alone-behind-a-hole"),
        pytest.param([-7], 5, 7, id="marker-only"),
    ],
)
def test_merge_without_recovery_delivers_nothing_and_finds_the_position(buffered, top, position):
    if position is GAP:
        with pytest.raises(InsufficientState):
            merge(NOT_RECOVERED, pubs(*buffered), top, WANTED)
    else:
        assert merge(NOT_RECOVERED, pubs(*buffered), top, WANTED) == Merged([], position)


def test_publications_outside_the_stream_are_left_alone():
    outside = Publication(b"aside", 0)
    assert merge(Recovery(True, pubs(5)), [outside, *pubs(6)], 5) == Merged(pubs(5, 6), 6)
    assert merge(NOT_RECOVERED, [outside], 5) == Merged([], 5)


def test_cache_mode_keeps_the_latest_only():
    assert merge(Recovery(True, pubs(5)), pubs(6, 7), 5, latest_only=True) == Merged(pubs(7), 7)
    assert merge(Recovery(True, []), [], 5, latest_only=True) == Merged([], 5)


def test_cache_mode_with_a_filter_sees_no_false_gap():
    recovery = decide_cache(at(0, ""), pubs(-5, -4, 3), at(5), WANTED)
    assert merge(recovery, pubs(-6, 7), 5, WANTED, latest_only=True) == Merged(pubs(7), 7)


# ------------------------------------------------------------------------------------------------------ whole runs


class Subscriber:
    """A client and its server side: subscribe result, then the live path (01 §8.6)."""

    def __init__(self, since: int) -> None:
        self.seen: list[int] = []
        self.reached = since

    def subscribed(self, merged: Merged) -> None:
        self.seen += offsets(merged.publications)
        self.reached = merged.offset

    def live(self, publication: Publication) -> None:
        if publication.offset > self.reached + 1:
            raise InsufficientState
        if publication.offset == self.reached + 1:
            self.reached = publication.offset
            if WANTED.matches(publication.tags):
                self.seen.append(publication.offset)


@given(data=st.data(), size=st.integers(1, 8), total=st.integers(0, 14))
def test_a_subscriber_sees_every_publication_once_or_is_told_otherwise(data, size, total):
    """A stream of `total`; the broker delivers late, repeats and loses; the read falls somewhere in between."""
    stream = [pub(n, wanted=data.draw(st.booleans())) for n in range(1, total + 1)]
    since = data.draw(st.integers(0, total), "since")
    registered = data.draw(st.integers(since, total), "published before registration")
    top = data.draw(st.integers(registered, total), "published before the read")
    read = [p for p in stream[max(0, top - size) : top] if p.offset > since]

    lossy = data.draw(st.booleans(), "lossy")
    sent = [p for p in stream[registered:] if not (lossy and data.draw(st.booleans()))]
    delivered = [p for p in sent for _ in range(data.draw(st.integers(1, 2)))]
    until_merge = data.draw(st.integers(0, len(delivered)), "delivered before the merge")

    subscriber = Subscriber(since)
    recovery = decide_stream(at(since), read, at(top), WANTED)
    start = since
    try:
        merged = merge(recovery, delivered[:until_merge], top, WANTED)
        if not recovery.recovered:
            start = merged.offset
        subscriber.subscribed(merged)
        for publication in delivered[until_merge:]:
            subscriber.live(publication)
    except InsufficientState:
        assert lossy
        return
    wanted = [p.offset for p in stream if start < p.offset <= subscriber.reached and WANTED.matches(p.tags)]
    assert subscriber.seen == wanted
    if not lossy:
        assert subscriber.reached == total
        assert recovery.recovered == (since >= top - size)
