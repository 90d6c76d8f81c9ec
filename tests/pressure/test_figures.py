"""What is read out of answers, and which aims it meets: each with a fault planted."""

import math
from collections.abc import Sequence

import pytest

from loadtest.pressure import figures
from loadtest.pressure.figures import Aim, Answer, Window


def steady(since_s: float, until_s: float, per_second: int, took_ms: float = 10.0) -> list[Answer]:
    """So many OK answers in each second, evenly."""
    count = round((until_s - since_s) * per_second)
    return [Answer(since_s + n / per_second, took_ms, 0.0, "OK") for n in range(count)]


def refused(due_s: float, code: str = "RESOURCE_EXHAUSTED", *, retry: bool = True) -> Answer:
    return Answer(due_s, 1.0, 0.0, code, retry, "RATE_LIMITED")


def test_a_percentile_is_the_least_that_covers_so_many() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [figures.percentile(values, part) for part in (50, 99, 100)] == [50.0, 99.0, 100.0]
    assert figures.percentile([7.0], 99) == 7.0
    assert figures.percentile([], 99) == 0.0


def test_a_window_has_the_calls_that_were_due_in_it() -> None:
    answers = [*steady(0.0, 3.0, 10), refused(1.5), Answer(2.95, 400.0, 0.0, "OK")]
    found = figures.windows(answers, 0.0, 3.0)
    assert [(one.since_s, one.calls, one.refused) for one in found] == [
        (0.0, 10, 0),
        (1.0, 11, 1),
        (2.0, 11, 0),
    ]
    assert [one.p99_ms for one in found] == [10.0, 10.0, 400.0]


def test_a_second_without_calls_is_no_window() -> None:
    answers = [*steady(0.0, 1.0, 5), *steady(2.0, 3.0, 5)]
    assert [one.since_s for one in figures.windows(answers, 0.0, 3.0)] == [0.0, 2.0]


def test_one_slow_second_is_not_what_is_normal() -> None:
    calm = [Window(float(n), 10, 0, p99) for n, p99 in enumerate((20.0, 900.0, 22.0))]
    assert figures.normal_ms(calm) == 22.0
    assert figures.normal_ms([]) == 0.0


def seconds(*told: tuple[int, float], since_s: float = 60.0) -> Sequence[Window]:
    """Windows by how many were refused in each, and its p99."""
    return [Window(since_s + n, 10, no, p99) for n, (no, p99) in enumerate(told)]


GOOD, SLOW, SHED = (0, 10.0), (0, 16.0), (1, 10.0)


@pytest.mark.parametrize(
    ("told", "after_s"),
    [
        ((GOOD, GOOD, GOOD, SLOW), 0.0),
        ((SHED, GOOD, GOOD, GOOD), 1.0),
        ((SLOW, SLOW, GOOD, GOOD, GOOD), 2.0),
        ((GOOD, SLOW, GOOD, GOOD, GOOD), 2.0),  # one good second may be luck
        ((GOOD, GOOD, SHED, GOOD, GOOD, GOOD), 3.0),
        ((GOOD, GOOD), math.inf),  # nobody knows whether it stays so
        ((SLOW,) * 20, math.inf),
        ((SHED,) * 20, math.inf),
        ((), math.inf),
    ],
)
def test_it_is_over_when_nobody_is_refused_and_calls_are_as_fast_as_before(
    told: tuple[tuple[int, float], ...], after_s: float
) -> None:
    assert figures.recovery_s(seconds(*told), 15.0) == after_s


def test_goodput_counts_what_was_answered_ok_in_that_time() -> None:
    answers = [*steady(0.0, 20.0, 100), *(refused(n / 10) for n in range(200))]
    assert figures.goodput(answers, 5.0, 15.0) == pytest.approx(100.0, abs=0.2)
    # the same calls, answered only after that time: none of them counts
    late = [Answer(each.due_s, 60_000.0, 0.0, each.code) for each in answers]
    assert figures.goodput(late, 5.0, 15.0) == 0.0


def test_a_refusal_without_a_word_on_when_to_come_again_is_noticed() -> None:
    good = [refused(1.0), refused(2.0, "UNAVAILABLE"), *steady(0.0, 1.0, 10)]
    assert figures.unannounced(good) == figures.unforeseen(good) == 0
    assert figures.unannounced([*good, refused(3.0, retry=False)]) == 1
    assert figures.unannounced([*good, refused(3.0, "UNAVAILABLE", retry=False)]) == 1


@pytest.mark.parametrize("code", ["DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED"])
def test_no_other_code_is_an_answer_to_load(code: str) -> None:
    assert figures.unforeseen([*steady(0.0, 1.0, 10), refused(1.0, code)]) == 1


def test_codes_are_told_with_their_reasons() -> None:
    answers = [refused(1.0), refused(2.0), Answer(1.0, 1.0, 0.0, "OK")]
    assert figures.codes(answers) == {"RESOURCE_EXHAUSTED RATE_LIMITED": 2, "OK": 1}


def test_a_ratio_is_of_the_slowest_hundredth() -> None:
    before = [10.0] * 98 + [20.0] * 2
    assert figures.ratio(before, [10.0] * 98 + [30.0] * 2) == 1.5
    assert figures.ratio(before, [500.0] + [10.0] * 199) == 0.5  # one in two hundred
    assert figures.ratio([], before) == figures.ratio(before, []) == math.inf


def test_an_aim_is_met_up_to_its_bound() -> None:
    assert Aim("goodput", 0.8, 0.8, least=True).met
    assert not Aim("goodput", 0.79, 0.8, least=True).met
    assert Aim("recovery", 10.0, 10.0, " s").met
    assert not Aim("recovery", math.inf, 10.0, " s").met
    assert str(Aim("recovery", 3.0, 10.0, " s")) == "recovery 3 s, at most 10 s"
