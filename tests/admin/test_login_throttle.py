"""Throttling of wrong passwords."""

from fanjet.admin.auth.login_throttle import FAILURES, MAX_ADDRESSES, WINDOW_SECONDS, LoginThrottle


def test_ten_failures_within_a_minute_are_enough() -> None:
    throttle = LoginThrottle()
    assert [throttle.record_failure("a", second) for second in range(FAILURES)] == [False] * FAILURES
    assert throttle.record_failure("a", FAILURES)


def test_failures_are_counted_by_address() -> None:
    throttle = LoginThrottle()
    for second in range(FAILURES):
        throttle.record_failure("a", second)
    assert not throttle.record_failure("b", FAILURES)


def test_old_failures_are_forgotten() -> None:
    throttle = LoginThrottle()
    for second in range(FAILURES):
        throttle.record_failure("a", second)
    assert not throttle.record_failure("a", WINDOW_SECONDS)


def test_the_number_of_addresses_is_limited() -> None:
    throttle = LoginThrottle()
    for second in range(FAILURES):
        throttle.record_failure("a", second)
    for number in range(MAX_ADDRESSES):
        throttle.record_failure(str(number), FAILURES)
    assert not throttle.record_failure("a", FAILURES)
