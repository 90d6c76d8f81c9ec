"""A short load run as CI makes it, and a verdict that notices every lie told afterwards."""

import json
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from loadtest import verdict
from loadtest.__main__ import app
from loadtest.evidence import Evidence, read
from loadtest.traffic import rules
from loadtest.traffic.command import DIFFERENT, GOOD, MISSED, NOT_RUN
from loadtest.traffic.plan import Plan, loaded

FATES = "returned=40,refused=20,lost=20,damaged=10,delivered_anyway=10"
ARGUMENTS = (
    *("run", "--scenario", "day=8", "--scenario", "retries=2", "--scenario", "readers=4"),
    *("--seconds", "3", "--warm-up", "1", "--pace", "150", "--carriers", "sf,zto"),
    *("--fates", FATES, "--time-outs", "0.03", "--latency", "20,80", "--merchants", "2"),
)
# Of a machine that also runs other tests nothing is expected but that it gets through.
EASY = ("--goal", "p50=20000", "--goal", "p99=20000", "--goal", "late=20000")
Lie = Callable[[Evidence], Evidence]
LIES: dict[str, tuple[str, Lie]] = {}


@dataclass(frozen=True)
class Done:
    code: int
    said: list[str]
    directory: Path

    @property
    def figures(self) -> dict[str, Any]:
        found = json.loads((self.directory / "load.json").read_text("utf-8"))
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    directory = tmp_path_factory.mktemp("load")
    command = [str(Path(sys.executable).with_name("turnback-load")), *ARGUMENTS, *EASY]
    command += ["--out", str(directory), "--keep", str(directory / "kept")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert found.returncode in (GOOD, DIFFERENT, MISSED), found.stdout + found.stderr
    return Done(found.returncode, found.stdout.splitlines(), directory)


@pytest.fixture(scope="module")
def evidence(done: Done) -> Evidence:
    return read(done.directory / "kept" / "evidence.json")


@pytest.fixture(scope="module")
def plan(done: Done) -> Plan:
    return Plan(loaded(json.dumps(done.figures["options"])))


def test_every_cent_is_where_the_seed_said(done: Done) -> None:
    assert done.code == GOOD, "\n".join(done.said)
    assert done.said[-1] == "verdict: clean"
    assert not [line for line in done.said if "\x1b" in line]


def test_one_name_a_method_and_the_warm_up_left_out(done: Done, plan: Plan) -> None:
    calls = {row["name"]: row["calls"] for row in done.figures["methods"]}
    measured = [a for a in plan.arrivals if a.parcel and a.at_s >= plan.options.warm_s]
    repeats = sum(4 for arrival in measured if arrival.scenario.name == "retries")
    assert calls["ParcelService/Register"] == len(measured)
    assert calls["InterceptService/Create"] == len(measured) + repeats
    assert {"InterceptService/List", "WalletService/Get"} <= set(calls)


def test_the_generators_own_cpu_is_told(done: Done) -> None:
    cores = done.figures["cores"]
    assert set(cores) >= {"gateway", "simulator", "locust 0"}
    assert all(cores[name] > 0 for name in ("gateway", "simulator", "locust 0"))
    assert done.figures["generator"][0]["unanswered"] == 0


def test_the_reports_of_ci(done: Done, evidence: Evidence) -> None:
    root = ElementTree.parse(done.directory / "load.xml").getroot()
    judged, goals = root.findall("testsuite")
    assert judged.get("failures") == goals.get("failures") == "0"
    assert int(judged.get("tests", "0")) == len(evidence.audit) + len(told(evidence))
    page = (done.directory / "load.html").read_text("utf-8")
    assert page.rindex("verdict: clean") < page.rindex('<div id="root">')
    assert page.count("<svg") >= 3


def told(evidence: Evidence) -> list[str]:
    kept = [name for name, _, _ in verdict.RULES if name not in rules.LEFT_OUT]
    return [*kept, *(name for name, _, _ in rules.LOAD_RULES)]


# -- lies ---------------------------------------------------------------------------------


def lie(what: str, rule: str) -> Callable[[Lie], Lie]:
    def plant(change: Lie) -> Lie:
        LIES[what] = (rule, change)
        return change

    return plant


@lie("a Create that does not exist", "inv.I3")
def _(evidence: Evidence) -> Evidence:
    return replace(evidence, interceptions=evidence.interceptions[1:])


@lie("an interception of which no client was told", "load.ghosts")
def _(evidence: Evidence) -> Evidence:
    ghost = replace(evidence.interceptions[0], id="ghost")
    return replace(evidence, interceptions=(*evidence.interceptions, ghost))


@lie("a Create refused for no reason of the caller's", "load.refused")
def _(evidence: Evidence) -> Evidence:
    first = replace(evidence.asked[0], refused="INTERNAL an incident", quoted=True)
    return replace(evidence, asked=(first, *evidence.asked[1:]))


def again(evidence: Evidence, like: str, **changed: Any) -> Evidence:
    """An entry of this kind once more, with something else about it."""
    entry = next(entry for entry in evidence.entries if entry.kind == like)
    return replace(evidence, entries=(*evidence.entries, replace(entry, **changed)))


@lie("a fee captured and released", "load.entries")
def _(evidence: Evidence) -> Evidence:
    return again(evidence, "CAPTURE", kind="RELEASE")


@lie("a fee refunded twice", "load.entries")
def _(evidence: Evidence) -> Evidence:
    return again(evidence, "RELEASE")


@lie("less refunded than was held", "load.sums")
def _(evidence: Evidence) -> Evidence:
    entries = [replace(e, amount=e.amount - 1) for e in evidence.entries if e.kind == "RELEASE"]
    others = [entry for entry in evidence.entries if entry.kind != "RELEASE"]
    return replace(evidence, entries=(*others, *entries))


@lie("a claim paid twice", "load.paid")
def _(evidence: Evidence) -> Evidence:
    return again(evidence, "SETTLE_OFFLINE")


@lie("a claim awarded twice", "load.awards")
def _(evidence: Evidence) -> Evidence:
    claim = next(claim for claim in evidence.claims if claim.awards)
    others = tuple(each for each in evidence.claims if each is not claim)
    twice = replace(claim, awards=claim.awards * 2)
    return replace(evidence, claims=(*others, twice))


@lie("an interception pending without a reason", "inv.L2")
def _(evidence: Evidence) -> Evidence:
    first = replace(evidence.interceptions[0], decision="UNKNOWN", exceptions=0)
    return replace(evidence, interceptions=(first, *evidence.interceptions[1:]))


@lie("a fee kept though the seed says it goes back", "load.fees")
def _(evidence: Evidence) -> Evidence:
    kept = tuple(
        replace(one, money="CAPTURED") if one.decision == "REFUSED" else one
        for one in evidence.interceptions
    )
    return replace(evidence, interceptions=kept)


@lie("a carrier that did something else", "load.covered")
def _(evidence: Evidence) -> Evidence:
    truth = deepcopy(list(evidence.truth))
    for entry in (entry for line in truth for entry in line["interceptions"]):
        entry["outcome"] = "physical"
    return replace(evidence, truth=tuple(truth))


def test_what_really_happened_is_clean(evidence: Evidence, plan: Plan) -> None:
    assert rules.differences(rules.judge(evidence, plan)) == 0
    assert {rule for rule, _ in LIES.values()} >= {name for name, _, _ in rules.LOAD_RULES}


@pytest.mark.parametrize("what", LIES)
def test_a_lie_is_noticed(what: str, evidence: Evidence, plan: Plan) -> None:
    rule, change = LIES[what]
    found = rules.judge(change(evidence), plan)
    assert rule in {each.name for each in found if each.violations}


# -- the command line ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scenario", "rush"), "there is no scenario rush"),
        (("--scenario", "day=often"), "often is no number"),
        (("--carriers", "sf,ems"), "there is no carrier ems"),
        (("--fates", "lost"), "lost: NAME=NUMBER"),
        (("--latency", "fast"), "MEDIAN,P99"),
        (("--latency", "500,100"), "not above its p99"),
        (("--goal", "p98=1"), "p98=1 is no goal"),
        (("--rate", "0"), "a rate is above 0"),
    ],
)
def test_what_cannot_run_says_so(arguments: tuple[str, ...], said: str) -> None:
    found = CliRunner().invoke(app, ["run", *arguments])
    assert found.exit_code == NOT_RUN
    assert said in found.stderr
    assert "Traceback" not in found.output


def test_a_plan_is_printed_for_locust_by_hand() -> None:
    found = CliRunner().invoke(app, ["plan", "--scenario", "day=5", "--seconds", "10"])
    assert found.exit_code == 0
    totals = CliRunner().invoke(app, ["plan", "--totals", "--scenario", "day=5", "--seconds", "10"])
    assert json.loads(totals.stdout)["interceptions"] == 75
