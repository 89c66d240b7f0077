import asyncio
import logging
import os

import pytest

from fanjet.net.acme.store import Store


@pytest.mark.parametrize("in_folder", [False, True])
def test_what_is_put_can_be_got_and_deleted(tmp_path, in_folder):
    store = Store(str(tmp_path) if in_folder else "")
    assert store.get("a") is None
    store.put("a", b"1")
    store.put("a", b"2")
    assert store.get("a") == b"2"
    assert sorted(os.listdir(tmp_path)) == (["a"] if in_folder else [])
    store.delete("a")
    store.delete("a")
    assert store.get("a") is None


def test_files_of_others_count(tmp_path):
    store = Store(str(tmp_path))
    store.put("a", b"1")
    (tmp_path / "a").write_bytes(b"theirs")
    assert store.get("a") == b"theirs"


def test_a_folder_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Store(str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match="file"):
        Store(str(tmp_path / "file"))


def test_a_folder_that_goes_away_leaves_the_memory(tmp_path, caplog):
    folder = tmp_path / "cache"
    store = Store(str(folder))
    folder.rmdir()
    store.put("a", b"1")
    assert store.get("a") == b"1"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_only_one_of_those_who_share_a_folder_is_in_there(tmp_path):
    one, two = Store(str(tmp_path)), Store(str(tmp_path))
    entered = asyncio.Event()

    async def enter():
        async with two.lock("a"):
            entered.set()

    async with one.lock("a"), two.lock("b"):
        entering = asyncio.create_task(enter())
        await asyncio.sleep(0)
        assert not entered.is_set()
    await asyncio.wait_for(entering, 5)


async def test_without_a_folder_there_is_no_lock(tmp_path):
    folder = tmp_path / "cache"
    stores = [Store(), Store(), Store(str(folder)), Store(str(folder))]
    folder.rmdir()
    async with stores[0].lock("a"), stores[1].lock("a"), stores[2].lock("a"), stores[3].lock("a"):
        pass
