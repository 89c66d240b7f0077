from fanjet.net.token_bucket import TokenBucket


def test_a_burst_of_the_rate_is_admitted_then_as_many_per_second():
    now = 100.0
    bucket = TokenBucket(3, clock=lambda: now)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    now += 1.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now += 0.34
    assert [bucket.take() for _ in range(2)] == [True, False]


def test_idle_time_saves_no_more_than_one_burst():
    now = 100.0
    bucket = TokenBucket(2, clock=lambda: now)
    now += 1000
    assert [bucket.take() for _ in range(3)] == [True, True, False]
