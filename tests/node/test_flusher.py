"""Order and time of writes of outboxes."""

from __future__ import annotations

import asyncio

import pytest

from fanjet.node.flusher import HOT_AFTER, IMMEDIATE_REPLIES, MIN_BATCHED_REPLIES, WRITES_PER_CLOCK_READ, Flusher


class Outbox:
    """Writes down when it was flushed, in a list that all share."""

    def __init__(self, name: str, written: list[str], *, breaks: bool = False) -> None:
        self.name = name
        self._written = written
        self._breaks = breaks

    def flush(self) -> None:
        self._written.append(self.name)
        if self._breaks:
            raise OSError(self.name)


@pytest.fixture
async def flusher() -> Flusher:
    return Flusher(asyncio.get_running_loop())


def take_turns(flusher: Flusher, outboxes: list[Outbox]) -> None:
    for outbox in outboxes:
        flusher.flush_reply(outbox)  # type: ignore[arg-type]


def be_busy(flusher: Flusher) -> list[str]:
    """Answer until answers wait for the end of the turn. Returns where they will be written down."""
    written: list[str] = []
    busy = Outbox("busy", written)
    take_turns(flusher, [busy] * IMMEDIATE_REPLIES)
    assert written == ["busy"] * IMMEDIATE_REPLIES
    written.clear()
    return written


async def test_many_replies_are_written_at_the_end_of_the_turn_in_order(flusher: Flusher) -> None:
    written = be_busy(flusher)
    for _ in range(3):
        names = [str(number) for number in range(MIN_BATCHED_REPLIES)]
        take_turns(flusher, [Outbox(name, written) for name in names])
        assert written == []
        await asyncio.sleep(0)
        assert written == names
        written.clear()


async def test_few_replies_are_written_immediately_after_a_batched_turn(flusher: Flusher) -> None:
    written = be_busy(flusher)
    few = MIN_BATCHED_REPLIES - 1
    for _ in range(3):
        take_turns(flusher, [Outbox("tried", written)] * few)
        assert written == []
        await asyncio.sleep(0)
        take_turns(flusher, [Outbox("at once", written)] * IMMEDIATE_REPLIES)
        assert written == ["tried"] * few + ["at once"] * IMMEDIATE_REPLIES
        written.clear()


async def test_replies_wait_for_pending_publications_of_this_turn(flusher: Flusher) -> None:
    written: list[str] = []
    for _ in range(3):
        flusher.batch_replies()
        take_turns(flusher, [Outbox("waits", written)])
        assert written == []
        await asyncio.sleep(0)
        take_turns(flusher, [Outbox("does not", written)])
        assert written == ["waits", "does not"]
        written.clear()


async def test_replies_are_written_before_the_rest_of_a_long_fan_out(
    flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanjet.node.flusher.SLICE_SECONDS", 0.0)
    written = be_busy(flusher)
    flusher.dirty = [Outbox("push", written) for _ in range(1000)]  # type: ignore[misc]
    flusher.schedule()
    take_turns(flusher, [Outbox("answer", written)] * 2)
    for _ in range(1000 // WRITES_PER_CLOCK_READ + 1):
        await asyncio.sleep(0)
    assert written.count("push") == 1000
    assert written.index("answer") == WRITES_PER_CLOCK_READ


async def test_a_failed_write_does_not_stop_the_others(flusher: Flusher) -> None:
    written = be_busy(flusher)
    failures: list[BaseException | None] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context.get("exception")))
    take_turns(flusher, [Outbox("a", written), Outbox("broken", written, breaks=True), Outbox("b", written)])
    for _ in range(3):
        await asyncio.sleep(0)
    assert written == ["a", "broken", "b"]
    assert [str(failure) for failure in failures] == ["broken"]


async def test_a_failed_write_in_an_audience_does_not_stop_the_others(flusher: Flusher) -> None:
    written: list[str] = []
    failures: list[BaseException | None] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context.get("exception")))
    names = [str(number) for number in range(2 * WRITES_PER_CLOCK_READ)]
    flusher.dirty = [Outbox(name, written, breaks=name in {"0", "3"}) for name in names]  # type: ignore[misc]
    flusher.schedule()
    for _ in range(4):
        await asyncio.sleep(0)
    assert written == names
    assert [str(failure) for failure in failures] == ["0", "3"]


class Member:
    """Of an audience; counts how many frames each of its writes carries."""

    def __init__(self, flusher: Flusher) -> None:
        self.outbox: list[bytes] | None = None
        self.writes: list[int] = []
        self._flusher = flusher
        self._written = asyncio.Event()

    def send(self) -> None:
        if self.outbox is None:
            self.outbox = []
            self._written.clear()
            self._flusher.dirty.append(self)  # type: ignore[arg-type]
            self._flusher.schedule()
        self.outbox.append(b"")

    def flush(self) -> None:
        self.writes.append(len(self.outbox or ()))
        self.outbox = None
        self._written.set()

    async def heat(self) -> None:
        """Send one after the other, each in a turn of its own, until it has to wait."""
        while self.outbox is None:
            self.send()
            await asyncio.sleep(0)

    async def written(self) -> None:
        async with asyncio.timeout(10):
            await self._written.wait()


async def test_frames_for_a_hot_audience_are_written_together(flusher: Flusher) -> None:
    member = Member(flusher)
    await member.heat()
    assert set(member.writes) == {1}
    assert len(member.writes) > HOT_AFTER
    for count in (5, 7):
        while len(member.outbox or ()) < count:
            member.send()
        await member.written()
        assert member.writes[-1] == count
        await member.heat()


async def test_an_audience_cools_when_waiting_accumulates_nothing(flusher: Flusher) -> None:
    member = Member(flusher)
    await member.heat()
    await member.written()
    assert member.writes[-1] == 1
    member.send()
    await asyncio.sleep(0)
    assert member.outbox is None


async def test_frames_queued_during_a_round_wait_for_the_next(
    flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanjet.node.flusher.SLICE_SECONDS", 0.0)
    first = Member(flusher)
    await first.heat()
    await first.written()
    others = [Member(flusher) for _ in range(3 * WRITES_PER_CLOCK_READ)]
    for member in (first, *others):
        member.send()
    await first.written()
    written = len(first.writes)
    while others[-1].outbox is not None:
        first.send()
        await asyncio.sleep(0)
        assert len(first.writes) == written
    await first.written()
    assert first.writes[-1] > 1


async def test_a_rare_frame_does_not_wait(flusher: Flusher) -> None:
    members = [Member(flusher), Member(flusher)]
    for _ in range(5 * HOT_AFTER):
        for member in members:
            member.send()
            await asyncio.sleep(0)
            assert member.outbox is None
