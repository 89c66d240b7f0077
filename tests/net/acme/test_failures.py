from fanjet.net.acme.failures import FIRST_PAUSE, LONGEST_PAUSE, MAX_HOSTS, Failures


def test_each_failure_doubles_the_pause_up_to_a_limit():
    failures = Failures()
    assert failures.refusal("a", 0.0) is None
    pauses = [failures.add("a", "why", 0.0) for _ in range(10)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    assert failures.refusal("a", LONGEST_PAUSE - 1) == "why"
    assert failures.refusal("a", LONGEST_PAUSE) is None


def test_success_is_a_new_beginning():
    failures = Failures()
    failures.add("a", "why", 0.0)
    failures.clear("a")
    assert failures.refusal("a", 1.0) is None
    assert failures.add("a", "why", 1.0) == FIRST_PAUSE


def test_other_hosts_are_not_concerned():
    failures = Failures()
    failures.add("a", "why", 0.0)
    assert failures.refusal("b", 1.0) is None


def test_an_authority_that_wants_to_be_left_alone_concerns_all():
    failures = Failures()
    assert failures.add("a", "slow down", 0.0, retry_after=5000.0) == 5000.0
    assert failures.refusal("b", 4999.0) == "slow down"
    assert failures.refusal("b", 5000.0) is None


def test_strangers_cannot_make_us_remember_or_try_any_number_of_hosts():
    failures = Failures()
    for each in range(MAX_HOSTS):
        assert failures.refusal(f"{each}", 0.0) is None
        failures.add(f"{each}", "why", 0.0)
    assert failures.refusal("one more", FIRST_PAUSE - 1) == "too many hosts have failed lately"
    assert failures.refusal("one more", FIRST_PAUSE) is None
