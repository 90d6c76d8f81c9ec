"""Goals of speed: how they are given, and what meets them."""

import pytest

from loadtest.traffic import goals
from loadtest.traffic.goals import GoalError, Row

CREATE = "InterceptService/Create"
QUOTE = "InterceptService/Quote"


def row(name: str, times: dict[int, int], failures: int = 0) -> Row:
    return Row(name, sum(times.values()), failures, times)


def missed(texts: list[str], rows: list[Row], late: float = 0.0, unserved: float = 0.0) -> set[str]:
    found = goals.reached(goals.parsed(texts), rows, late, unserved)
    return {f"{one.name} {one.goal.what}" for one in found if not one.met}


def test_percentiles_are_the_least_that_covers_so_many() -> None:
    found = row(CREATE, {10: 50, 20: 49, 900: 1})
    assert [found.percentile(part) for part in (50, 51, 99, 100)] == [10, 20, 20, 900]
    assert row(CREATE, {}).percentile(99) == 0


def test_a_method_has_goals_of_its_own() -> None:
    rows = [row(CREATE, {600: 100}), row(QUOTE, {300: 99, 1_500: 1})]
    assert missed([], rows) == {f"{CREATE} p50"}
    assert missed([f"{CREATE}:p50=700"], rows) == set()
    assert missed([f"{CREATE}:p50=700", "p99=500"], rows) == {f"{CREATE} p99"}


def test_failures_lateness_and_callers_turned_away_count() -> None:
    rows = [row(CREATE, {10: 1_000}, failures=2)]
    assert missed([], rows) == {f"{CREATE} errors"}
    assert missed(["errors=0.01"], rows, late=251, unserved=0.5) == {
        "generator late",
        "callers unserved",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p98=3", "is no goal"),
        ("p99", "is no goal"),
        ("p99=soon", "is no goal"),
        ("p99=1.2.3", "is no number"),
        ("Create:p99=3", "is no goal"),
        (f"{CREATE}:late=3", "is of the whole run"),
    ],
)
def test_what_is_no_goal(text: str, said: str) -> None:
    with pytest.raises(GoalError, match=said):
        goals.parsed([text])
