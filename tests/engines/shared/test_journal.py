"""The ring in shared memory, its lock and its bells, without workers."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from fanjet.engines.shared import journal as module
from fanjet.engines.shared.bells import Bell, Bells, bell_at
from fanjet.engines.shared.journal import Busy, FallenBehind, Journal
from tests.support.shared_engine import holding_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setattr(module, "CAPACITY", 1000)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 500)
    made = Journal.create()
    yield made
    made.close()


@pytest.fixture
def another(journal: Journal) -> Iterator[Journal]:
    """The same, of another process."""
    made = Journal(os.dup(journal.descriptor))
    yield made
    made.close()


def test_who_appends_gets_what_stands_before_it(journal, another):
    start = journal.end
    assert journal.exchange(start, b"one") == (b"", start + 3)
    assert another.exchange(start, b"two") == (b"one", start + 6)
    assert journal.exchange(start + 3, b"") == (b"two", start + 6)
    assert journal.exchange(start + 6, b"") == (b"", start + 6)


def test_it_goes_round(journal, another):
    position = another.end
    for number in range(100):
        own = bytes([number]) * (number * 3 + 1)
        journal.exchange(None, own)
        news, position = another.exchange(position, b"")
        assert news == own


def test_who_reads_too_late_is_told_and_nothing_is_appended(journal, another):
    start = journal.end
    journal.exchange(None, b"x" * 500)
    assert another.exchange(start, b"")[0] == b"x" * 500
    journal.exchange(None, b"y")
    end = journal.end
    with pytest.raises(FallenBehind):
        another.exchange(start, b"z")
    assert journal.end == end


def test_the_lock_is_held_up_by_who_is_stopped_and_freed_by_who_dies(journal):
    with holding_lock(journal.descriptor) as holder:
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(Busy):
            journal.exchange(None, b"1")
    assert journal.exchange(None, b"1")[1] == 1


def test_seats_are_given_again(journal):
    seats = [journal.take_seat(generation) for generation in range(1, module.MOST_SEATS + 1)]
    assert seats == list(range(module.MOST_SEATS))
    assert journal.take_seat(1000) is None
    journal.free_seat(7)
    assert journal.take_seat(1001) == 7
    assert journal.generation(7) == 1001


def test_a_bell_is_rung_once_until_it_is_answered(journal, folder: Path):
    prefix = str(folder / "bell.")
    for generation in (1, 2):
        seat = journal.take_seat(generation)
        assert seat is not None
        os.mkfifo(bell_at(prefix, seat))
    others = Bells(journal, prefix)
    others.ring([1])  # nobody listens yet
    journal.come(0)
    bell = Bell(bell_at(prefix, 0))
    for _ in range(3):
        others.ring([1])
    assert os.read(bell.descriptor, 10) == b"\0"
    journal.come(0)
    others.ring([1])
    assert os.read(bell.descriptor, 10) == b"\0"
    bell.take()  # which nobody has rung
    bell.close()
    journal.come(0)
    others.ring([1])  # and nobody has any more
    others.close()


def test_who_takes_a_seat_again_has_a_bell_of_its_own(journal, folder: Path):
    prefix = str(folder / "bell.")
    path = bell_at(prefix, 0)
    others = Bells(journal, prefix)
    for generation in (1, 2):
        assert journal.take_seat(generation) == 0
        os.mkfifo(path)
        bell = Bell(path)
        others.ring([1])
        assert os.read(bell.descriptor, 10) == b"\0"
        bell.close()
        os.unlink(path)
        journal.free_seat(0)
    others.close()
