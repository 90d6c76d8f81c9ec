"""The demo as its user runs it, and a verdict that notices every lie."""

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters import ADAPTERS
from loadtest import scenario, verdict
from loadtest.carriers import CARRIERS
from loadtest.evidence import Evidence, Exceptional, read

ORDERS = 40
LAST = "audit: {} rules, 0 violations"
TROUBLES = {
    *("returned", "refused", "refused_unlisted", "accepted_later", "lost", "damaged"),
    *("delivered_anyway", "buyer_refused", "intercepted_by_other", "answer_lost", "withdrawn"),
}
Lie = Callable[[Evidence], Evidence]
LIES: dict[str, Lie] = {}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    kept = tmp_path_factory.mktemp("demo")
    command = [str(Path(sys.executable).with_name("turnback-load")), "demo"]
    command += ["--orders", str(ORDERS), "--keep", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return done, kept


@pytest.fixture(scope="module")
def evidence(run: tuple[subprocess.CompletedProcess[str], Path]) -> Evidence:
    return read(run[1] / "evidence.json")


def test_every_rule_holds(
    run: tuple[subprocess.CompletedProcess[str], Path], evidence: Evidence
) -> None:
    done, _ = run
    assert done.returncode == 0, done.stdout + done.stderr
    rules = verdict.judge(evidence)
    assert done.stdout.splitlines()[-1] == LAST.format(len(rules))
    assert len(rules) > len(verdict.RULES)
    assert "\x1b" not in done.stdout


def test_a_directory_that_has_a_run_in_it_is_not_taken_for_another(
    run: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    command = [str(Path(sys.executable).with_name("turnback-load")), "demo", "--keep", str(run[1])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = f"turnback-load: {run[1]} is not empty: name a new directory to keep the run in"
    assert (done.returncode, done.stderr.strip()) == (3, said)


def test_secrets_and_people_are_in_no_log(
    run: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    log = (run[1] / "gateway.log").read_text("utf-8")
    day = scenario.load()
    for parcel in day.parcels:
        assert parcel.buyer.phone not in log
        assert parcel.buyer.street not in log


def test_a_short_day_has_every_case() -> None:
    day = scenario.load()
    short = scenario.sized(day, ORDERS)
    assert {p.case for p in short.parcels} == {p.case for p in day.parcels}
    assert len({p.key for p in scenario.sized(day, 600).parcels}) >= 550


def test_the_day_is_as_large_as_it_says() -> None:
    day = scenario.load()
    assert day.order_count >= 300
    assert {p.carrier for p in day.parcels} == set(CARRIERS) == set(ADAPTERS)
    assert len({p.key for p in day.parcels}) == len(day.parcels)


def test_every_carrier_meets_every_kind_of_trouble() -> None:
    """Whoever is added to the table is added to the day, with all of it."""
    cases: dict[str, set[str]] = {name: set() for name in CARRIERS}
    for parcel in scenario.load().parcels:
        cases[parcel.carrier].add(parcel.case)
    assert all(found >= TROUBLES for found in cases.values()), cases


def test_a_cancelled_order_of_which_nobody_tells_is_excused_while_a_person_has_it(
    evidence: Evidence,
) -> None:
    one = next(i for i in evidence.interceptions if i.path == verdict.BEFORE_PICKUP)
    for exceptions, broken in (
        ((), {"inv.C2", "gt.path"}),
        ((Exceptional("NO_EVIDENCE", one.id, one.waybill, ""),), set()),
    ):
        unknown = replace(one, decision="UNKNOWN", path="UNSPECIFIED", exceptions=len(exceptions))
        others = tuple(i for i in evidence.interceptions if i.id != one.id)
        told = replace(evidence, interceptions=(*others, unknown), exceptions=exceptions)
        wrong = {r.name for r in verdict.judge(told) if any(one.id in v for v in r.violations)}
        assert wrong & {"inv.C2", "gt.path"} == broken


# -- lies ---------------------------------------------------------------------------------


def lie(rule: str) -> Callable[[Lie], Lie]:
    def plant(change: Lie) -> Lie:
        LIES[rule] = change
        return change

    return plant


def truth_changed(
    evidence: Evidence, wanted: Callable[[dict[str, Any]], bool], **values: Any
) -> Evidence:
    """The first parcel of this kind, and another truth about it."""
    truth = deepcopy(list(evidence.truth))
    line = next(line for line in truth if wanted(line))
    line.update(values)
    return replace(evidence, truth=tuple(truth))


def back(line: dict[str, Any]) -> bool:
    return bool(line["outcome"] == "returned" and line["fee"] == "charged")


@lie("inv.C1")
def _(evidence: Evidence) -> Evidence:
    return truth_changed(evidence, back, fee="not_charged")


@lie("inv.C2")
def _(evidence: Evidence) -> Evidence:
    return truth_changed(evidence, lambda line: line["outcome"] == "refused", accepted_ms=1)


@lie("gt.promise")
def _(evidence: Evidence) -> Evidence:
    return truth_changed(evidence, back, accepted_ms=None)


@lie("inv.C3")
def _(evidence: Evidence) -> Evidence:
    nothing = {"refused_ms": None, "cancelled_ms": None, "delivered_to_buyer_ms": None}
    return truth_changed(
        evidence, lambda line: line["outcome"] == "refused", return_cause=None, **nothing
    )


@lie("inv.C4")
def _(evidence: Evidence) -> Evidence:
    truth = deepcopy(list(evidence.truth))
    next(line for line in truth if back(line))["interceptions"][0]["effects"] = 2
    return replace(evidence, truth=tuple(truth))


@lie("inv.C5")
def _(evidence: Evidence) -> Evidence:
    truth = deepcopy(list(evidence.truth))
    next(line for line in truth if back(line))["requests"]["intercept"][0]["business_ms"] = 1
    return replace(evidence, truth=tuple(truth))


@lie("gt.movement")
def _(evidence: Evidence) -> Evidence:
    return truth_changed(evidence, back, returned_ms=None)


@lie("gt.path")
def _(evidence: Evidence) -> Evidence:
    changed = [replace(i, path="INTERCEPTED") for i in evidence.interceptions]
    return replace(evidence, interceptions=tuple(changed))


@lie("inv.I3")
def _(evidence: Evidence) -> Evidence:
    return replace(evidence, interceptions=evidence.interceptions[1:])


@lie("inv.I2")
def _(evidence: Evidence) -> Evidence:
    number = next(n for n, asked in enumerate(evidence.asked) if asked.created)
    asked = list(evidence.asked)
    asked[number] = replace(asked[number], created=(*asked[number].created, "another"))
    return replace(evidence, asked=tuple(asked))


@lie("gt.answered")
def _(evidence: Evidence) -> Evidence:
    return replace(evidence, asked=(replace(evidence.asked[0], refused="no"), *evidence.asked[1:]))


@lie("gt.conditions")
def _(evidence: Evidence) -> Evidence:
    asked = tuple(replace(a, unmet=a.unmet[1:], words=a.words[1:]) for a in evidence.asked)
    return replace(evidence, asked=asked)


@lie("gt.price")
def _(evidence: Evidence) -> Evidence:
    return replace(evidence, asked=tuple(replace(a, quoted_fee=1) for a in evidence.asked))


@lie("gt.channels")
def _(evidence: Evidence) -> Evidence:
    return replace(evidence, asked=tuple(replace(a, also_unmet=()) for a in evidence.asked))


@lie("gt.covered")
def _(evidence: Evidence) -> Evidence:
    return truth_changed(evidence, back, outcome="physical")


@lie("gt.wallet")
def _(evidence: Evidence) -> Evidence:
    first = evidence.wallets[0]
    wallets = (replace(first, available=first.available + 1), *evidence.wallets[1:])
    return replace(evidence, wallets=wallets)


@lie("gt.claimed")
def _(evidence: Evidence) -> Evidence:
    return replace(evidence, filings=evidence.filings[1:])


@lie("gt.awards")
def _(evidence: Evidence) -> Evidence:
    truth = deepcopy(list(evidence.truth))
    granted = (claim for line in truth for claim in line["claims"] if claim["granted_minor"])
    next(granted)["granted_minor"] = 1
    return replace(evidence, truth=tuple(truth))


@lie("gt.payouts")
def _(evidence: Evidence) -> Evidence:
    claims = tuple(
        replace(c, awards=tuple(replace(a, paid=a.paid - 1) for a in c.awards))
        for c in evidence.claims
    )
    return replace(evidence, claims=claims)


@lie("inv.P1")
def _(evidence: Evidence) -> Evidence:
    claims = tuple(
        replace(c, awards=tuple(replace(a, amount=100_001) for a in c.awards))
        for c in evidence.claims
    )
    return replace(evidence, claims=claims)


@lie("inv.K1")
def _(evidence: Evidence) -> Evidence:
    fewer = {**evidence.pushes, "zto new": evidence.pushes["zto new"] - 1}
    return replace(evidence, pushes=fewer)


@lie("gt.subscribed")
def _(evidence: Evidence) -> Evidence:
    return truth_changed(evidence, back, watched_ms=None)


def pushes_changed(evidence: Evidence, **values: Any) -> Evidence:
    truth = deepcopy(list(evidence.truth))
    next(push for line in truth for push in line["pushes"] if push["attempts"]).update(values)
    return replace(evidence, truth=tuple(truth))


@lie("gt.pushes")
def _(evidence: Evidence) -> Evidence:
    return pushes_changed(evidence, acknowledged=False)


@lie("inv.K4")
def _(evidence: Evidence) -> Evidence:
    return pushes_changed(evidence, forged=True)


@lie("gt.watch")
def _(evidence: Evidence) -> Evidence:
    return replace(evidence, watched=evidence.watched[:-1])


def test_how_a_stream_ended_is_noticed(evidence: Evidence) -> None:
    told = replace(evidence, watch_faults={"INTERNAL something": 2})
    (broken,) = [rule for rule in verdict.judge(told) if rule.violations]
    assert broken.name == "gt.watch"
    assert broken.violations == (("", "the stream ended 2 times in INTERNAL something"),)


@lie("gt.log")
def _(evidence: Evidence) -> Evidence:
    first = evidence.interceptions[0]
    log = tuple(step for step in first.log if step.column == verdict.NOTE or step.seq != 2)
    return replace(evidence, interceptions=(replace(first, log=log), *evidence.interceptions[1:]))


@lie("inv.L2")
def _(evidence: Evidence) -> Evidence:
    first = replace(evidence.interceptions[0], decision="UNKNOWN", exceptions=0)
    return replace(evidence, interceptions=(first, *evidence.interceptions[1:]))


@pytest.mark.parametrize("rule", [name for name, _, _ in verdict.RULES])
def test_a_lie_is_noticed(rule: str, evidence: Evidence) -> None:
    broken = {found.name for found in verdict.judge(LIES[rule](evidence)) if found.violations}
    assert rule in broken
