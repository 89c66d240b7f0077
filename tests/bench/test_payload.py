"""Payloads: markers and timestamps."""

import json

from fanjet.bench.payload import MARKER, now_us, timestamped_payload, timestamps


def test_a_payload_is_json_with_one_marker() -> None:
    payload = timestamped_payload()
    assert isinstance(json.loads(payload)["t"], int)
    assert payload.count(MARKER) == 1


def test_the_frame_of_the_first_scenario_has_the_size_the_figures_are_known_for() -> None:
    message = b'{"push":{"channel":"fan","pub":{"data":' + timestamped_payload() + b"}}}"
    assert len(message) + 2 == 102


def test_timestamps_are_read_back() -> None:
    before = now_us()
    first, second = timestamps(timestamped_payload() + b"\n" + timestamped_payload("longer" * 100))
    assert before <= first <= second <= now_us()
