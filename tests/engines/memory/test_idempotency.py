"""The cache of publish results."""

from fanjet.engines.memory.idempotency import RESULT_TTL_MS, IdempotencyCache
from fanjet.protocol.publication import StreamPosition

FIRST = StreamPosition(1, "e")
SECOND = StreamPosition(2, "e")


def test_results_are_found_until_they_expire():
    cache = IdempotencyCache()
    cache.store("news", "k", FIRST, 1000)
    assert cache.find("news", "k", 1000 + RESULT_TTL_MS - 1) == FIRST
    assert cache.find("news", "k", 1000 + RESULT_TTL_MS) is None


def test_channel_and_key_are_separate():
    cache = IdempotencyCache()
    cache.store("a", "b_c", FIRST, 0)
    assert cache.find("a_b", "c", 1) is None


def test_a_sweep_removes_only_expired_results():
    cache = IdempotencyCache()
    cache.store("news", "old", FIRST, 0)
    cache.store("news", "new", SECOND, 1)
    cache.sweep(RESULT_TTL_MS)
    assert len(cache) == 1
    assert cache.find("news", "new", RESULT_TTL_MS) == SECOND


def test_a_result_stored_again_expires_at_its_new_time():
    cache = IdempotencyCache()
    cache.store("news", "a", FIRST, 0)
    cache.store("news", "b", FIRST, 1)
    cache.store("news", "a", SECOND, RESULT_TTL_MS)
    cache.sweep(RESULT_TTL_MS + 1)
    assert cache.find("news", "a", RESULT_TTL_MS + 1) == SECOND
    assert len(cache) == 1
