"""Expiry of the engine's streams, by a clock of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanjet.engines.interfaces import PublishOptions
from fanjet.engines.memory_server.messages import Published
from fanjet.engines.memory_server.stream_store import OffsetMismatch, StreamStore
from fanjet.protocol.publication import Publication
from tests.engines.conftest import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeOwner(Recorder):
    """Stands for workers with publications that the engine has not stored yet."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.streams = StreamStore(self, clock=lambda: self.now, history_meta_ttl=0)
        self.is_synced = True
        self.revokes = True
        self.on_revoke: Callable[[], None] = lambda: None
        self.removed: list[str] = []

    def published(self, offset: int, *, ttl: int = 300, meta_ttl: int = 5) -> None:
        publication = Publication(b"%d" % offset, offset, time=int(self.now * 1000))
        self.streams.store(Published("news", publication, "", False, None, (10, ttl, meta_ttl)))

    def sync(self) -> bool:
        return self.is_synced

    def revoke_slot(self, channel: str) -> bool:
        self.on_revoke()
        return self.revokes

    def on_stream_removed(self, channel: str) -> None:
        self.removed.append(channel)

    async def stored(self) -> list[bytes]:
        return [each.data for each in (await self.streams.history("news", meta_ttl=1000)).publications]


@pytest.fixture
def owner() -> FakeOwner:
    owner = FakeOwner()
    owner.streams.publish("news", b"1", PublishOptions(history_size=10, history_ttl=5, history_meta_ttl=5))
    return owner


async def test_publications_of_workers_extend_both_lifetimes(owner):
    owner.now += 4
    owner.published(2, ttl=10, meta_ttl=20)
    owner.now += 9
    owner.streams.sweep()
    assert await owner.stored() == [b"1", b"2"]
    owner.now += 2
    owner.streams.sweep()
    assert await owner.stored() == []
    assert owner.removed == []


async def test_a_publication_during_expiry_keeps_the_stream(owner):
    owner.now += 6
    owner.on_revoke = lambda: owner.published(2)
    owner.streams.sweep()
    assert owner.removed == []
    assert b"2" in await owner.stored()


async def test_an_expired_stream_stays_until_its_slot_is_revoked(owner):
    owner.now += 6
    owner.revokes = False
    owner.streams.sweep()
    assert owner.removed == []
    owner.revokes = True
    owner.now += 1
    owner.streams.sweep()
    assert owner.removed == ["news"]
    with pytest.raises(OffsetMismatch):
        owner.published(2)


async def test_nothing_expires_before_publications_are_stored(owner):
    owner.now += 5
    owner.is_synced = False
    owner.streams.sweep()
    owner.is_synced = True
    owner.published(2)
    owner.streams.sweep()
    assert await owner.stored() == [b"1", b"2"]


def test_an_offset_gap_is_an_error(owner):
    with pytest.raises(OffsetMismatch):
        owner.published(3)
