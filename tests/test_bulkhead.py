"""One carrier account's share of the gateway: slots, rate, and the breaker."""

from gateway.bulkhead import FAILURES_TO_OPEN, OPEN_MS, Breaker, Bulkhead

NOW = 1_000_000


def opened() -> Bulkhead:
    bulkhead = Bulkhead(concurrency=2, per_second=1_000)
    for _ in range(FAILURES_TO_OPEN):
        assert bulkhead.take(NOW)
        bulkhead.heard(False, NOW)
        bulkhead.give()
    assert bulkhead.state is Breaker.OPEN
    return bulkhead


def test_slots_are_bounded_and_come_back() -> None:
    bulkhead = Bulkhead(concurrency=2, per_second=1_000)
    assert [bulkhead.take(NOW) for _ in range(3)] == [True, True, False]
    bulkhead.give()
    assert bulkhead.take(NOW)


def test_the_rate_is_a_bucket_that_fills_with_time() -> None:
    bulkhead = Bulkhead(concurrency=100, per_second=5)
    assert [bulkhead.take(NOW) for _ in range(6)] == [True] * 5 + [False]
    assert bulkhead.take(NOW + 200)
    assert not bulkhead.take(NOW + 200)


def test_silence_in_a_row_opens_the_breaker_and_an_answer_closes_it() -> None:
    bulkhead = opened()
    assert not bulkhead.take(NOW + OPEN_MS - 1)
    assert bulkhead.take(NOW + OPEN_MS)
    assert not bulkhead.take(NOW + OPEN_MS)  # one call tries
    bulkhead.heard(True, NOW + OPEN_MS)
    bulkhead.give()
    assert bulkhead.state is Breaker.CLOSED


def test_a_probe_that_is_met_with_silence_opens_it_again() -> None:
    bulkhead = opened()
    assert bulkhead.take(NOW + OPEN_MS)
    bulkhead.heard(False, NOW + OPEN_MS)
    bulkhead.give()
    assert not bulkhead.take(NOW + OPEN_MS + 1)
    assert bulkhead.take(NOW + 2 * OPEN_MS)


def test_a_probe_that_was_never_sent_does_not_shut_the_account_for_good() -> None:
    bulkhead = opened()
    assert bulkhead.take(NOW + OPEN_MS)
    bulkhead.give()  # the Create that took it was refused
    assert bulkhead.take(NOW + OPEN_MS)


def test_replicas_share_the_bound_and_the_rate_of_an_account() -> None:
    alone, shared = Bulkhead(9, 30), [Bulkhead(9, 30, replicas=3) for _ in range(3)]
    assert alone.free() == sum(bulkhead.free() for bulkhead in shared) == 9
    taken = 0
    for now in range(0, 10_000, 10):
        for bulkhead in shared:
            if bulkhead.take(now):
                taken += 1
                bulkhead.give()
    assert 300 <= taken <= 300 + 30


def test_a_share_is_never_nothing() -> None:
    shared = Bulkhead(2, 1, replicas=8)
    assert shared.take(0)
    assert not shared.take(1)
    shared.give()
    assert not shared.take(7_999)
    assert shared.take(8_001)
