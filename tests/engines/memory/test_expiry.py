"""The queue of deadlines."""

from fanjet.engines.memory.expiry import ExpiryQueue
from fanjet.engines.memory.stream import NEVER, Stream


def test_a_postponed_deadline_needs_no_new_entry():
    streams = {"news": Stream()}
    queue = ExpiryQueue(streams)
    for deadline in range(100, 200):
        streams["news"].expires_at = deadline
        queue.watch("news", streams["news"])
    assert len(queue) == 1


def test_a_stream_is_due_once_at_its_latest_deadline():
    streams = {"news": Stream()}
    queue = ExpiryQueue(streams)
    for deadline in (100, 150):
        streams["news"].expires_at = deadline
        queue.watch("news", streams["news"])
    assert list(queue.due(149)) == []
    assert list(queue.due(150)) == [("news", streams["news"])]
    assert list(queue.due(1000)) == []


def test_an_earlier_deadline_is_not_missed():
    streams = {"news": Stream()}
    queue = ExpiryQueue(streams)
    for deadline in (100, 50):
        streams["news"].expires_at = deadline
        queue.watch("news", streams["news"])
    assert [channel for channel, _ in queue.due(50)] == ["news"]
    streams["news"].expires_at = NEVER
    assert list(queue.due(100)) == []


def test_entries_of_deleted_streams_are_dropped():
    streams = {"news": Stream()}
    queue = ExpiryQueue(streams)
    streams["news"].expires_at = 100
    queue.watch("news", streams["news"])
    del streams["news"]
    assert list(queue.due(100)) == []
    assert len(queue) == 0


def test_streams_without_deadline_are_not_queued():
    streams = {"news": Stream()}
    queue = ExpiryQueue(streams)
    queue.watch("news", streams["news"])
    assert len(queue) == 0
