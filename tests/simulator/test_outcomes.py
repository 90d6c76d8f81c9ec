"""Outcomes depend on nothing but (seed, carrier, waybill, operation, attempt)."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bodies import load_scenario
from simulator.outcomes import (
    DEFAULT_MIX,
    PUSH_FAULTS,
    Fault,
    FaultName,
    Outcome,
    Params,
    Pattern,
    Rule,
    Scenario,
    Script,
    Subject,
    choose,
)

subjects = st.builds(
    Subject,
    carrier=st.sampled_from(["sf", "zto"]),
    account=st.just("A"),
    waybill=st.text(min_size=1, max_size=20),
    operation=st.sampled_from(["intercept", "query", "push"]),
    attempt=st.integers(1, 9),
)
seeds = st.integers(0, 2**63)
SCENARIO = Scenario(faults={FaultName.TIMEOUT_AFTER: 300_000, FaultName.SLOW: 300_000})


@given(seed=seeds, asked=st.lists(subjects, max_size=20), order=st.randoms())
def test_order_and_company_change_nothing(seed: int, asked: list[Subject], order: object) -> None:
    alone = {subject: choose(SCENARIO, seed, subject, None) for subject in asked}
    shuffled = sorted(asked, key=lambda subject: hash((id(order), subject)))
    assert all(choose(SCENARIO, seed, subject, None) == alone[subject] for subject in shuffled)


def test_threads_change_nothing() -> None:
    asked = [Subject("zto", "A", f"73{n}", "intercept", 1) for n in range(500)]
    alone = [choose(SCENARIO, 1, subject, None) for subject in asked]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda subject: choose(SCENARIO, 1, subject, None), asked)) == alone


@given(seed=seeds, subject=subjects)
def test_every_choice_names_an_outcome(seed: int, subject: Subject) -> None:
    assert choose(SCENARIO, seed, subject, None).outcome in DEFAULT_MIX


@given(seed=seeds, subject=subjects)
def test_the_operation_does_not_change_the_outcome(seed: int, subject: Subject) -> None:
    other = Subject(subject.carrier, "A", subject.waybill, "claim", subject.attempt)
    one, two = choose(Scenario(), seed, subject, None), choose(Scenario(), seed, other, None)
    assert one.outcome is two.outcome


def test_the_default_mix_comes_out_near_its_weights() -> None:
    drawn = [
        choose(Scenario(), 3, Subject("sf", "A", f"SF{n}", "intercept", 1), None).outcome
        for n in range(4000)
    ]
    share = drawn.count(Outcome.RETURNED) * 1000 // len(drawn)
    assert abs(share - DEFAULT_MIX[Outcome.RETURNED]) < 40
    assert set(drawn) == set(DEFAULT_MIX)


def test_a_script_goes_before_a_rule_and_a_rule_before_the_mix() -> None:
    subject = Subject("sf", "A", "SF1", "intercept", 1, "in_transit")
    rules = (
        Rule(Pattern(waybill="SF*"), Pattern(status="in_*"), Script(Outcome.DAMAGED)),
        Rule(Pattern(carrier="sf"), None, Script(Outcome.LOST)),
        Rule(Pattern(), None, Script(Outcome.REFUSED)),
    )
    scenario = Scenario(rules)
    assert choose(scenario, 1, subject, None).outcome is Outcome.LOST
    scripted = choose(scenario, 1, subject, Script(Outcome.RETURNED))
    assert scripted.outcome is Outcome.RETURNED


@pytest.mark.parametrize(
    ("times", "after", "struck"),
    [(1, 0, [1]), (2, 1, [2, 3]), (0, 2, [3, 4, 5]), (3, 0, [1, 2, 3])],
)
def test_faults_take_times_and_after(times: int, after: int, struck: list[int]) -> None:
    fault = Fault(FaultName.HTTP_500, "intercept", times, after)
    assert [n for n in range(1, 6) if fault.strikes("intercept", n)] == struck
    assert not fault.strikes("query", 1)


@pytest.mark.parametrize(
    ("outcome", "faults", "params"),
    [
        (Outcome.REFUSED, (Fault(FaultName.EXECUTES_TWICE),), {}),
        (None, (Fault(FaultName.TIMEOUT_AFTER), Fault(FaultName.RESET_BEFORE)), {}),
        (None, (Fault(FaultName.HTTP_500, times=0), Fault(FaultName.HTTP_503, after=3)), {}),
        (Outcome.LOST, (), {"no_such": 1}),
        (Outcome.LOST, (), {"lost_ms": "soon"}),
        (Outcome.REFUSED, (), {"code": "8152"}),
    ],
)
def test_impossible_scripts_are_refused(
    outcome: Outcome | None, faults: tuple[Fault, ...], params: dict[str, int | str]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        Script(outcome, Params(dict(params)), faults)


def test_one_fault_after_another_is_possible() -> None:
    first = Fault(FaultName.TIMEOUT_AFTER, times=1)
    assert Script(None, faults=(first, Fault(FaultName.HTTP_500, times=1, after=1))).faults


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"rules":[{"match":{},"do":{"outcome":"eaten"}}]}', "rules.0.do.outcome"),
        ('{"rules":[{"match":{},"not":{},"do":{}}]}', "rule 1: an empty `not`"),
        ('{"mix":{"outcomes":{"lost":0}}}', "one outcome with a weight"),
        ('{"surprise":1}', "surprise"),
        (
            '{"rules":[{"match":{},"do":{"outcome":"refused","faults":[{"name":"executes_twice"}]}}]}',
            "rule 1",
        ),
        ("{", "line 1|unexpected end"),
    ],
)
def test_a_scenario_file_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        load_scenario(path)


def test_a_scenario_file_may_be_toml(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('[[rules]]\nmatch = {carrier = "zto"}\ndo = {outcome = "lost"}\n')
    chosen = choose(load_scenario(path), 1, Subject("zto", "A", "7", "intercept", 1), None)
    assert chosen.outcome is Outcome.LOST


def test_a_mix_of_push_faults_never_contradicts_itself() -> None:
    shares = dict.fromkeys(PUSH_FAULTS, 500000)
    scenario = Scenario(faults=shares)
    for nth in range(200):
        subject = Subject("zto", "a", f"w{nth}", "push", 1)
        names = [fault.name for fault in choose(scenario, 1, subject, None).faults]
        assert names.count(FaultName.PUSH_DROP) == 0 or len(names) == 1
