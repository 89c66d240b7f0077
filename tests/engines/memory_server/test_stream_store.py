"""The engine's streams when their time is over, by a clock of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanjet.engines.interfaces import PublishOptions
from fanjet.engines.memory_server.messages import Published
from fanjet.engines.memory_server.stream_store import OutOfStep, SharedStreams
from fanjet.protocol.publication import Publication
from tests.engines.conftest import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable


class Keeper(Recorder):
    """Workers that have published something of which the engine does not know yet."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.streams = SharedStreams(self, clock=lambda: self.now, history_meta_ttl=0)
        self.keeps_up = True
        self.withdraws = True
        self.when_asked: Callable[[], None] = lambda: None
        self.gone: list[str] = []

    def published(self, offset: int, *, ttl: int = 300, meta_ttl: int = 5) -> None:
        publication = Publication(b"%d" % offset, offset, time=int(self.now * 1000))
        self.streams.keep(Published("news", publication, "", False, None, (10, ttl, meta_ttl)))

    def keep_up(self) -> bool:
        return self.keeps_up

    def withdraw(self, channel: str) -> bool:
        self.when_asked()
        return self.withdraws

    def forget_stream(self, channel: str) -> None:
        self.gone.append(channel)

    async def stored(self) -> list[bytes]:
        return [each.data for each in (await self.streams.history("news", meta_ttl=1000)).publications]


@pytest.fixture
def keeper() -> Keeper:
    keeper = Keeper()
    keeper.streams.publish("news", b"1", PublishOptions(history_size=10, history_ttl=5, history_meta_ttl=5))
    return keeper


async def test_what_workers_have_published_prolongs_both_lifetimes(keeper):
    keeper.now += 4
    keeper.published(2, ttl=10, meta_ttl=20)
    keeper.now += 9
    keeper.streams.sweep()
    assert await keeper.stored() == [b"1", b"2"]
    keeper.now += 2
    keeper.streams.sweep()
    assert await keeper.stored() == []
    assert keeper.gone == []


async def test_a_stream_that_is_published_in_as_its_time_is_over_stays(keeper):
    keeper.now += 6
    keeper.when_asked = lambda: keeper.published(2)
    keeper.streams.sweep()
    assert keeper.gone == []
    assert b"2" in await keeper.stored()


async def test_a_stream_whose_time_is_over_stays_until_workers_know(keeper):
    keeper.now += 6
    keeper.withdraws = False
    keeper.streams.sweep()
    assert keeper.gone == []
    keeper.withdraws = True
    keeper.now += 1
    keeper.streams.sweep()
    assert keeper.gone == ["news"]
    with pytest.raises(OutOfStep):
        keeper.published(2)


async def test_nothing_is_dropped_while_it_is_not_known_what_was_published(keeper):
    keeper.now += 5
    keeper.keeps_up = False
    keeper.streams.sweep()
    keeper.keeps_up = True
    keeper.published(2)
    keeper.streams.sweep()
    assert await keeper.stored() == [b"1", b"2"]


def test_a_gap_is_noticed(keeper):
    with pytest.raises(OutOfStep):
        keeper.published(3)
