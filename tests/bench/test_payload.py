"""What is published must be countable and stampable."""

import json

from fanjet.bench.workload.payload import MARK, now_us, stamped, stamps


def test_a_payload_is_json_with_one_mark() -> None:
    payload = stamped()
    assert isinstance(json.loads(payload)["t"], int)
    assert payload.count(MARK) == 1


def test_the_frame_of_the_first_scenario_has_the_size_the_figures_are_known_for() -> None:
    message = b'{"push":{"channel":"fan","pub":{"data":' + stamped() + b"}}}"
    assert len(message) + 2 == 102


def test_stamps_are_read_back() -> None:
    before = now_us()
    first, second = stamps(stamped() + b"\n" + stamped("longer" * 100))
    assert before <= first <= second <= now_us()
