"""A load run before it happens: the same for whoever makes it, and what it must come to."""

from collections import Counter
from typing import Any

import pytest

from loadtest.carriers import CARRIERS
from loadtest.fleet import CAP_MINOR
from loadtest.traffic import expected, plan
from loadtest.traffic.fates import BY_NAME, FATES, Fee
from loadtest.traffic.plan import Options, Plan, PlanError
from loadtest.traffic.scenarios import SCENARIOS

DAY = Options(scenarios=(("day", 20.0),), seconds=30.0, warm_s=5.0)


def test_whoever_makes_it_again_has_the_same() -> None:
    one, two = Plan(DAY), Plan(plan.loaded(plan.dumped(DAY)))
    assert one.arrivals == two.arrivals
    assert expected.totals(one.arrivals, one) == expected.totals(two.arrivals, two)
    other = Plan(Options(seed=8, scenarios=DAY.scenarios, seconds=30.0))
    assert [a.at_s for a in other.arrivals] != [a.at_s for a in one.arrivals]


def test_callers_come_at_the_rate_before_and_after_the_warm_up() -> None:
    arrivals = Plan(DAY).arrivals
    warm = [arrival for arrival in arrivals if arrival.at_s < DAY.warm_s]
    assert (len(warm), len(arrivals)) == (100, 700)
    assert all(0 <= arrival.at_s <= DAY.whole_s for arrival in arrivals)
    assert [a.at_s for a in arrivals] == sorted(a.at_s for a in arrivals)


def test_a_burst_is_ten_times_as_dense_in_the_middle() -> None:
    burst = Options(scenarios=(("burst", 5.0),), seconds=60.0, warm_s=0.0)
    by_third = Counter(int(a.at_s >= 15) + int(a.at_s >= 45) for a in Plan(burst).arrivals)
    assert by_third == {0: 75, 1: 1_500, 2: 75}


def test_workers_share_all_of_it() -> None:
    made = Plan(Options(scenarios=(("day", 10.0), ("readers", 5.0)), seconds=5.0, workers=3))
    shares = [made.share(worker) for worker in range(3)]
    assert sum(map(len, shares)) == len(made.arrivals)
    assert {a.number for share in shares for a in share} == {a.number for a in made.arrivals}


def test_no_parcel_has_the_number_of_another() -> None:
    made = Plan(Options(seconds=60.0, scenarios=(("day", 100.0), ("pushes", 20.0))))
    numbers = [(p.network or p.carrier, p.waybill) for p in made.day.parcels]
    assert len(set(numbers)) == len(numbers)


def test_every_fate_comes_and_carriers_play_what_they_can() -> None:
    made = Plan(Options(scenarios=(("day", 200.0),), seconds=60.0))
    found = {arrival.fate.name for arrival in made.arrivals if arrival.fate}
    assert found == {fate.name for fate in FATES}
    for arrival in made.arrivals:
        assert arrival.fate is not None
        assert arrival.parcel is not None
        assert arrival.parcel.status in CARRIERS[arrival.parcel.carrier].fees
        assert not arrival.fate.only or arrival.parcel.carrier in arrival.fate.only
        assert arrival.trouble is None or arrival.fate.troubled


def test_two_in_a_hundred_time_out_and_two_lose_their_answer() -> None:
    made = Plan(Options(scenarios=(("day", 200.0),), seconds=60.0))
    troubles = Counter(a.trouble.fault["name"] for a in made.arrivals if a.trouble)
    count = len(made.arrivals)
    timed_out = troubles["timeout_after"] + troubles["timeout_before"]
    assert timed_out / count == pytest.approx(0.02, abs=0.005)
    assert troubles["reset_after"] / count == pytest.approx(0.02, abs=0.005)


def test_what_is_awarded_stays_within_loss_value_and_cap() -> None:
    made = Plan(Options(scenarios=(("claims", 50.0),), seconds=60.0))
    for arrival in made.arrivals:
        assert arrival.parcel is not None
        due = expected.of(arrival, made)
        most = min(CAP_MINOR, arrival.parcel.value)
        assert 0 <= due.awards_minor.least <= due.awards_minor.most <= most
        assert due.kept_minor.most in (0, due.fee_minor)
    whole = expected.totals(made.arrivals, made)
    assert whole.held_minor == whole.kept_minor.most + whole.returned_minor.least
    assert whole.awards_minor.least > 0


def test_what_depends_on_the_moment_is_a_span() -> None:
    lost = Options(scenarios=(("day", 50.0),), seconds=20.0, time_outs=1.0, lost_answers=0.0)
    made = Plan(lost)
    for arrival in made.arrivals:
        assert arrival.trouble is not None
        assert arrival.fate is not None
        unsure = expected.of(arrival, made).fee is Fee.EITHER
        assert unsure == (not arrival.trouble.executed and arrival.fate.fee is Fee.KEPT)


def test_every_row_of_the_tables_can_be_played() -> None:
    for name, row in SCENARIOS.items():
        made = Plan(Options(scenarios=((name, 5.0),), seconds=5.0))
        assert made.arrivals
        assert set(row.fates) <= set(BY_NAME)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scenarios": (("rush", 5.0),)}, "there is no scenario rush; there are day, burst"),
        ({"scenarios": ()}, "a run needs a scenario"),
        ({"scenarios": (("day", 0.0),)}, "a rate is above 0"),
        ({"scenarios": (("day", 9e9),)}, "a rate is above 0"),
        ({"scenarios": (("day", 1.0), ("day", 2.0))}, "named twice"),
        ({"carriers": ("sf", "ems")}, "there is no carrier ems"),
        ({"carriers": ("kuaidi100",)}, "an aggregator carries nothing itself"),
        ({"fates": (("eaten", 1),)}, "there is no fate eaten"),
        ({"fates": (("lost", 0),)}, "fates need one with a weight"),
        ({"seconds": 0.0}, "a run takes 1 to"),
        ({"time_outs": 0.7, "lost_answers": 0.7}, "parts of 1"),
        ({"workers": 0}, "workers 1 to 64"),
        ({"pace": 0.0}, "the pace"),
        ({"scenarios": (("day", 5_000.0),), "seconds": 14_000.0}, "no more than 500000 arrivals"),
    ],
)
def test_options_that_make_no_run(given: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        Options(**given)


def test_what_is_no_plan() -> None:
    with pytest.raises(PlanError, match="no plan"):
        plan.loaded("{}x")
