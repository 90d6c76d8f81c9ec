"""The safe protocols hold in every interleaving, and every way to lose money is found out."""

from dataclasses import fields, replace

import pytest

from tests.model.cases import CASES, SAFE, UNSAFE, Case, Ends, Verdict, explore, surprises
from tests.model.parts import Protocol
from tests.model.tell import WORDS, trace


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_verdict_is_the_one_expected(case: Case) -> None:
    report = explore(case)
    assert surprises(case, report) == []
    if case.verdict is Verdict.UNSAFE:
        way = report.traces(report.faults[case.fault])
        assert len(list(trace(way))) == len(way) > 1


def test_every_way_to_lose_money_is_tried() -> None:
    sound = Protocol()
    ways = {f.name for f in fields(Protocol)} - {"resend_by", "too_late_accepts"}
    tried = {
        name for case in UNSAFE for name in ways if getattr(case.how, name) != getattr(sound, name)
    }
    assert tried == ways


def test_a_wrong_expectation_is_a_surprise() -> None:
    (small,) = (case for case in SAFE if case.protocol == "wait")
    report = explore(small)
    assert surprises(replace(small, verdict=Verdict.LATE), report) == ["SAFE, not LATE"]
    assert surprises(replace(small, settles=Ends.ALONE), report) == ["needs a person"]
    assert surprises(replace(small, ends=frozenset()), report)


def test_every_step_has_its_words() -> None:
    def steps(case: Case) -> set[str]:
        report = explore(case)
        return {step.name for state in range(report.states) for step, _ in report.traces(state)}

    small = [case for case in SAFE if case.protocol in ("track", "cancel", "wait")]
    found = set().union(*map(steps, small))
    assert found <= set(WORDS)
    assert len(found) > 15
