"""The journal in shared memory, its lock and its notifications, without workers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fanjet.engines.memory_server import journal as module
from fanjet.engines.memory_server.journal import Busy, Journal, Overrun
from fanjet.engines.memory_server.notifier import Notifier, WakeupPipe, pipe_path
from fanjet.engines.memory_server.offset_slots import OffsetSlot
from fanjet.engines.memory_server.reader_table import ENGINE_SLOT, MAX_READERS, bucket_of
from tests.support.shared_engine import holding_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


ONE, TWO, THREE = "one", "two", "three"
"""Channels of different buckets."""

APPENDER = """
import sys
from fanjet.engines.memory_server.journal import Busy, Journal

descriptor, name, count, processes = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
journal, position, seen, number = Journal(descriptor), 0, b"", 0
while len(seen) < 8 * count * processes:
    data = b"%s%07d" % (name, number) if number < count else b""
    try:
        records, position = journal.exchange(position, data)
    except Busy:
        continue
    seen += records + data
    number += bool(data)
sys.stdout.buffer.write(seen)
"""


NUMBERER = """
import os, sys
from fanjet.engines.memory_server.journal import Busy, Journal

journal = Journal(int(sys.argv[1]))
while True:
    try:
        journal.append_next(3, 5, lambda offset: b"%d " % offset)
    except Busy:
        os.sched_yield()
"""


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setattr(module, "CAPACITY", 1000)
    monkeypatch.setattr(module, "MAX_APPEND", 500)
    made = Journal.create()
    yield made
    made.close()


@pytest.fixture
def another(journal: Journal) -> Iterator[Journal]:
    """The same journal as opened by another process."""
    made = Journal(os.dup(journal.descriptor))
    yield made
    made.close()


def test_appending_returns_the_records_before(journal, another):
    start = journal.end
    assert journal.exchange(start, b"one") == (b"", start + 3)
    assert another.exchange(start, b"two") == (b"one", start + 6)
    assert journal.exchange(start + 3, b"") == (b"two", start + 6)
    assert journal.exchange(start + 6, b"") == (b"", start + 6)


def test_all_processes_read_the_same_order():
    count, names = 5000, "abc"
    journal = Journal.create()
    appending = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(journal.descriptor), name, str(count), str(len(names))],
            pass_fds=[journal.descriptor],
            stdout=subprocess.PIPE,
        )
        for name in names
    ]
    try:
        seen = [process.communicate(timeout=60)[0] for process in appending]
    finally:
        for process in appending:
            process.kill()
            process.wait()
        journal.close()
    assert seen[0] == seen[1] == seen[2]
    chunks = [seen[0][start : start + 8] for start in range(0, len(seen[0]), 8)]
    for name in names.encode():
        assert [each[1:] for each in chunks if each[0] == name] == [b"%07d" % number for number in range(count)]


def test_the_ring_wraps_around(journal, another):
    position = another.end
    for number in range(100):
        data = bytes([number]) * (number * 3 + 1)
        journal.exchange(None, data)
        records, position = another.exchange(position, b"")
        assert records == data


def test_an_overrun_is_reported_and_appends_nothing(journal, another):
    start = journal.end
    journal.exchange(None, b"x" * 500)
    assert another.exchange(start, b"")[0] == b"x" * 500
    journal.exchange(None, b"y")
    end = journal.end
    with pytest.raises(Overrun):
        another.exchange(start, b"z")
    assert journal.end == end


def test_the_lock_is_busy_while_its_holder_is_stopped_and_freed_when_it_dies(journal):
    with holding_lock(journal.descriptor) as holder:
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(Busy):
            journal.exchange(None, b"1")
    assert journal.exchange(None, b"1")[1] == 1


def test_reader_slots_are_reused(journal, another):
    readers = journal.readers
    readers.set_position(ENGINE_SLOT, 51)
    assert [readers.allocate(generation, 0) for generation in range(1, MAX_READERS + 1)] == list(range(MAX_READERS))
    assert readers.allocate(1000, 0) is None
    another.readers.set_interest(7, bucket_of(ONE), interested=True)
    readers.free(7)
    assert readers.allocate(1001, 50) == 7
    assert another.readers.mark_notified([ONE], 50, ()) == [
        (slot, slot + 1) for slot in range(MAX_READERS) if slot != 7
    ]
    assert another.readers.mark_notified([ONE], 51, ()) == [(7, 1001)]


def append_next(journal: Journal, generation: int = 5) -> int:
    return journal.append_next(3, generation, lambda offset: b"<%d>" % offset)[0]


def test_offsets_are_assigned_in_open_slots_only(journal, another):
    slot = OffsetSlot(3, 5)
    assert append_next(another) == 0
    assert journal.sync(0, b"made", [(slot, 10)]) == (b"", 4)
    assert [append_next(another), append_next(journal), append_next(another)] == [11, 12, 13]
    assert append_next(another, 6) == 0
    assert journal.sync(4, b"", (), [slot]) == (b"<11><12><13>", 16)
    assert append_next(another) == 0
    assert another.exchange(0, b"")[0] == b"made<11><12><13>"


def test_assigning_an_offset_returns_its_position(journal):
    journal.sync(0, b"made", [(OffsetSlot(3, 5), 0)])
    assert journal.append_next(3, 5, lambda _: b"12345") == (1, 4, 9)
    assert journal.append_next(3, 6, lambda _: b"12345") == (0, 9, 9)


def test_no_offsets_are_assigned_while_the_engine_lags(journal, another, monkeypatch):
    monkeypatch.setattr(module, "MAX_UNSTORED", 3)
    journal.sync(0, b"", [(OffsetSlot(3, 5), 0)])
    assert [append_next(another) for _ in range(3)] == [1, 2, 0]
    journal.sync(0, b"")
    assert append_next(another) == 3


def test_records_to_store_are_not_overwritten(journal, another):
    journal.sync(0, b"", [(OffsetSlot(3, 5), 0)])
    append_next(another)
    assert journal.sync(0, b"") == (b"<1>", 3)
    for _ in range(20):
        another.exchange(None, b"x" * 100)
    assert journal.sync(3, b"") == (b"", 2003)
    append_next(another)
    for _ in range(4):
        another.exchange(None, b"x" * 100)
    with pytest.raises(Busy):
        another.exchange(None, b"x" * 100)
    records, end = journal.sync(2003, b"")
    assert records == b"<2>" + b"x" * 400
    assert another.exchange(None, b"x" * 100) == (b"", end + 100)


def test_the_offset_of_an_incomplete_record_is_reused(journal, another, monkeypatch):
    journal.sync(0, b"", [(OffsetSlot(3, 5), 0), (OffsetSlot(4, 6), 0)])
    append_next(another)

    def die(end: int, data: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(another, "_write", die)
    with pytest.raises(KeyboardInterrupt):
        append_next(another)
    journal.exchange(None, b"something else")
    assert append_next(journal) == 2
    assert journal.append_next(4, 6, lambda offset: b"%d" % offset)[0] == 1


def test_killed_writers_leave_no_gap_in_offsets():
    journal = Journal.create()
    journal.sync(0, b"", [(OffsetSlot(3, 5), 0)])
    position, seen, killed = 0, b"", 0
    command = [sys.executable, "-c", NUMBERER, str(journal.descriptor)]
    start = partial(subprocess.Popen, command, pass_fds=[journal.descriptor])
    processes = [start() for _ in range(3)]
    while killed < 6:
        before = len(seen)
        while len(seen) < before + 20_000:
            with contextlib.suppress(Busy):
                records, position = journal.sync(position, b"")
                seen += records
        processes[0].kill()
        processes.pop(0).wait()
        killed += 1
        processes.append(start())
    for process in processes:
        process.kill()
        process.wait()
    seen += journal.sync(position, b"")[0]
    offsets = [int(each) for each in seen.split()]
    assert offsets == list(range(1, len(offsets) + 1))
    assert append_next(journal) == len(offsets) + 1
    journal.close()


def test_the_offset_of_a_failed_record_is_reused(journal):
    journal.sync(0, b"", [(OffsetSlot(3, 5), 0)])
    with pytest.raises(ZeroDivisionError):
        journal.append_next(3, 5, lambda offset: b"%d" % (offset // 0))
    assert append_next(journal) == 1


@pytest.fixture
def notifier(journal: Journal, folder: Path) -> Iterator[Notifier]:
    """Notifies two readers that wait for the same channel."""
    prefix = str(folder / "pipe.")
    for slot in range(2):
        assert journal.readers.allocate(slot + 1, 0) == slot
        journal.readers.set_interest(slot, bucket_of(ONE), interested=True)
        os.mkfifo(pipe_path(prefix, slot))
    rung = Notifier(journal.readers, prefix)
    yield rung
    rung.close()


def read_pipe(pipe: WakeupPipe) -> bytes:
    try:
        return os.read(pipe.descriptor, 10)
    except BlockingIOError:
        return b""


def test_a_reader_is_notified_once_until_it_rearms(journal, notifier, folder: Path):
    notifier.notify([ONE], 0, [1])  # the pipe is not open yet
    journal.readers.rearm(0)
    pipe = WakeupPipe(pipe_path(str(folder / "pipe."), 0))
    for _ in range(2):
        for _ in range(3):
            notifier.notify([ONE], 0, [1])
        assert read_pipe(pipe) == b"\0"
        journal.readers.rearm(0)
    pipe.drain()  # without a notification
    pipe.close()
    notifier.notify([ONE], 0, [1])  # after the pipe was closed


def test_subscribed_or_lagging_readers_are_notified(journal, notifier, folder: Path):
    mine, other = (WakeupPipe(pipe_path(str(folder / "pipe."), slot)) for slot in range(2))
    journal.readers.set_interest(1, bucket_of(TWO), interested=True)
    journal.readers.set_interest(1, bucket_of(ONE), interested=False)
    for channels, end, expected in (
        ([ONE], 0, (b"\0", b"")),
        ([TWO], 0, (b"", b"\0")),
        ([THREE, TWO, ONE], 0, (b"\0", b"\0")),
        ([THREE], 0, (b"", b"")),
        ([THREE], module.WAKEUP_LAG + 1, (b"\0", b"\0")),
    ):
        for slot in range(2):
            journal.readers.rearm(slot)
        notifier.notify(channels, end, ())
        assert (read_pipe(mine), read_pipe(other)) == expected
    journal.readers.set_position(0, 10)
    for slot in range(2):
        journal.readers.rearm(slot)
    notifier.notify([THREE], module.WAKEUP_LAG + 1, ())
    assert (read_pipe(mine), read_pipe(other)) == (b"", b"\0")
    mine.close()
    other.close()


def test_a_reused_slot_has_a_new_pipe(journal, notifier, folder: Path):
    path = pipe_path(str(folder / "pipe."), 0)
    for generation in (10, 11):
        journal.readers.free(0)
        assert journal.readers.allocate(generation, 0) == 0
        journal.readers.set_interest(0, bucket_of(ONE), interested=True)
        os.unlink(path)
        os.mkfifo(path)
        pipe = WakeupPipe(path)
        notifier.notify([ONE], 0, ())
        assert read_pipe(pipe) == b"\0"
        pipe.close()
