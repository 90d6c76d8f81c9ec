"""A short overload as CI makes it, and a verdict that notices every lie about it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from typer.testing import CliRunner

from loadtest import evidence as kept
from loadtest.__main__ import app
from loadtest.evidence import Evidence
from loadtest.pressure import overload, pinning
from loadtest.pressure.figures import Answer
from loadtest.pressure.overload import Overload, Peak, Wanted
from loadtest.pressure.replay import Heard
from loadtest.traffic import rules
from loadtest.traffic.command import DIFFERENT, GOOD, MISSED, NOT_RUN
from loadtest.traffic.pages import OTHERS
from loadtest.traffic.plan import Plan, PlanError
from loadtest.traffic.road import MACHINE

CALM, SECONDS, AFTER = 2, 4, 4
ARGUMENTS = (
    *("overload", "--peak-s", "1", "--most", "30", "--callers", "1"),
    *("--calm", str(CALM), "--seconds", str(SECONDS), "--after", str(AFTER)),
)
Lie = Callable[[Evidence], Evidence]


@dataclass(frozen=True)
class Done:
    code: int
    said: list[str]
    figures: dict[str, Any]
    evidence: Evidence

    @property
    def admitted(self) -> int:
        found: int = self.figures["admitted"]
        return found

    @property
    def refused(self) -> int:
        counted: dict[str, int] = self.figures["codes"]
        return sum(count for code, count in counted.items() if code != "OK")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    directory = tmp_path_factory.mktemp("overload")
    command = [str(Path(sys.executable).with_name("turnback-load")), *ARGUMENTS]
    command += ["--json", str(directory / "found.json"), "--keep", str(directory / "kept")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    # Of a machine that also runs other tests nothing is expected of its speed.
    assert found.returncode in (GOOD, DIFFERENT, MISSED), found.stdout + found.stderr
    figures = json.loads((directory / "found.json").read_text("utf-8"))
    evidence = kept.read(directory / "kept" / "evidence.json")
    return Done(found.returncode, found.stdout.splitlines(), figures, evidence)


def test_what_was_answered_is_what_the_ledger_holds(done: Done) -> None:
    assert done.said[-1] == "verdict: clean", "\n".join(done.said)
    assert done.code in (GOOD, MISSED)
    created = [each for each in done.evidence.asked if each.created]
    assert len(created) == len(done.evidence.interceptions)
    assert len(created) == done.figures["codes"]["OK"] + done.figures["repeated"]


def test_every_call_has_one_answer_and_many_were_refused(done: Done) -> None:
    offered = done.admitted * (0.5 * CALM + 3 * SECONDS + 0.5 * AFTER)
    assert done.figures["calls"] == sum(done.figures["codes"].values())
    assert done.figures["calls"] == pytest.approx(offered, abs=2)
    # of three times as many, two in three are too much; a second of the rate was saved up
    assert done.refused >= done.admitted * (2 * SECONDS - 1) * 0.9
    goals = {goal["name"]: goal for goal in done.figures["goals"]}
    assert goals["refused without RetryInfo"]["met"]
    assert goals["answers with another code"]["met"]


def test_a_third_of_the_peak_is_let_in(done: Done) -> None:
    peak = done.figures["peak"]
    assert done.admitted == max(1, int(peak["per_second"] / 3))
    assert 0 < peak["p99_ms"] < 1_000


def test_the_gateway_has_a_core_of_its_own_where_there_are_two(done: Done) -> None:
    assert done.figures["pinned"] == (pinning.cores() is not None)
    assert any("NOT pinned" in line for line in done.said) != done.figures["pinned"]


# -- lies ---------------------------------------------------------------------------------


def ghost(evidence: Evidence) -> Evidence:
    """One that was refused exists all the same."""
    refused = next(each for each in evidence.asked if not each.created)
    one = replace(
        evidence.interceptions[0], id="ghost", carrier=refused.carrier, waybill=refused.waybill
    )
    return replace(evidence, interceptions=(*evidence.interceptions, one))


def lost(evidence: Evidence) -> Evidence:
    """One that was answered OK does not exist."""
    return replace(evidence, interceptions=evidence.interceptions[1:])


def twice(evidence: Evidence) -> Evidence:
    """One was created twice."""
    again = replace(evidence.interceptions[0], id="again")
    return replace(evidence, interceptions=(*evidence.interceptions, again))


def held(evidence: Evidence) -> Evidence:
    """The fee of one that was refused was held."""
    entry = next(entry for entry in evidence.entries if entry.kind == "HOLD")
    more = replace(entry, id="more", interception="")
    return replace(evidence, entries=(*evidence.entries, more))


@pytest.mark.parametrize(
    ("lie", "rule"),
    [
        (ghost, "inv.I2"),
        (ghost, "load.ghosts"),
        (lost, "inv.I3"),
        (twice, "inv.I2"),
        (held, "load.sums"),
    ],
)
def test_a_lie_is_noticed(lie: Lie, rule: str, done: Done) -> None:
    plan = Plan(Wanted().plan(done.figures["calls"]))
    assert not rules.differences(rules.judge(done.evidence, plan))
    found = rules.judge(lie(done.evidence), plan)
    assert rule in {each.name for each in found if each.violations}


# -- the parts ----------------------------------------------------------------------------

WANTED = Wanted(seconds=20.0, calm_s=5.0, after_s=15.0)


def came(admitted: int, served: int, *, back_s: float = 0.0, retry: bool = True) -> list[Answer]:
    """An overload of which so many a second were served, and that was over so much later."""
    found = []
    for stretch in overload.stretched(admitted, WANTED):
        heavy = stretch.per_second > admitted
        for n in range(round(stretch.per_second * (stretch.until_s - stretch.since_s))):
            due_s = stretch.since_s + n / stretch.per_second
            good = n % stretch.per_second < served if heavy else True
            slow = stretch.since_s > WANTED.seconds and due_s < stretch.since_s + back_s
            code = "OK" if good else "RESOURCE_EXHAUSTED"
            found.append(Answer(due_s, 90.0 if slow else 10.0, 0.0, code, retry and not good))
    return found


def missed(answers: list[Answer], admitted: int = 100) -> set[str]:
    stretches = overload.stretched(admitted, WANTED)
    found = Overload(None, admitted, True, stretches, answers, {})
    return {aim.name for aim in found.aims if not aim.met}


def test_what_misses_which_aim() -> None:
    assert missed(came(100, 100)) == set()
    assert missed(came(100, 81)) == set()
    assert missed(came(100, 78)) == {"goodput, of what is let in,"}
    assert missed(came(100, 100, back_s=9.0)) == set()
    assert missed(came(100, 100, back_s=12.0)) == {"back to normal after"}
    assert missed(came(100, 100, retry=False)) == {"refused without RetryInfo"}
    early = [replace(came(100, 100)[0], code="UNAVAILABLE", retry=True), *came(100, 100)[1:]]
    assert missed(early) == {"refused before the overload"}
    wrong = [*came(100, 100), Answer(10.0, 10_000.0, 0.0, "DEADLINE_EXCEEDED")]
    assert missed(wrong) == {"answers with another code"}
    late = [replace(each, late_ms=300.0) for each in came(100, 100)]
    assert missed(late) == {"generator late (p99)"}


def test_a_peak_counts_only_what_was_answered_ok() -> None:
    answers = [Answer(n / 100, 20.0, 0.0, "OK") for n in range(1_000)]
    whole = overload.peak_of(answers, 64, {})
    assert whole.per_second == pytest.approx(100.0, rel=0.01)
    assert whole.p99_ms == 20.0
    half = [replace(each, code="UNAVAILABLE") if n % 2 else each for n, each in enumerate(answers)]
    assert overload.peak_of(half, 64, {}).per_second == pytest.approx(50.0, rel=0.02)
    assert overload.peak_of([], 64, {}) == Peak(0.0, 64, 0.0, {})


def test_cores_are_each_ones_own_and_the_rest_is_the_others() -> None:
    before = {"gateway": 1_000_000, "generator": 500_000, MACHINE: 9_000_000}
    after = {"gateway": 2_800_000, "generator": 900_000, MACHINE: 12_200_000}
    found = overload.shares(before, after, 2.0)
    assert found == pytest.approx({"gateway": 0.9, "generator": 0.2, OTHERS: 0.5})
    assert overload.shares({}, {}, 2.0) == {}


def test_what_a_refusal_says_is_read_after_the_load() -> None:
    status = status_pb2.Status(code=8)
    for detail in (
        details.ErrorInfo(reason="RATE_LIMITED"),
        details.RetryInfo(retry_delay=Duration(seconds=1)),
    ):
        status.details.add().Pack(detail)
    no = grpc.StatusCode.RESOURCE_EXHAUSTED
    told = Heard(("sf", "SF1"), 1.0, 2.0, 0.5, no, status.SerializeToString()).read()
    assert told == Answer(1.0, 2.0, 0.5, "RESOURCE_EXHAUSTED", True, "RATE_LIMITED")
    silent = Heard(("sf", "SF1"), 1.0, 2.0, 0.5, no, b"").read()
    assert not silent.retry


@pytest.mark.skipif(pinning.cores() is None, reason="there are no two cores to pin to")
def test_a_process_is_pinned_with_all_its_threads() -> None:
    code = (
        "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True)"
        ".start(); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            cores = pinning.cores()
            assert cores is not None
            pinning.pin(process.pid, cores[0])
            threads = list(Path(f"/proc/{process.pid}/task").iterdir())
            assert len(threads) == 2
            assert all(os.sched_getaffinity(int(each.name)) == {cores[0]} for each in threads)
            pinning.unpin(process.pid, pinning.mine())
            assert os.sched_getaffinity(process.pid) == pinning.mine()
        finally:
            process.kill()


def test_as_many_parcels_as_calls() -> None:
    for creates in (2, 674, 5_000):
        assert len(Plan(WANTED.plan(creates)).day.parcels) == creates
    with pytest.raises(PlanError, match="no more than"):
        WANTED.plan(1_000_000)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seconds", "1"), "an overload takes 2 to 600 seconds"),
        (("--calm", "0"), "before it 2 to 600 seconds"),
        (("--after", "2"), "after it 3 to 600"),
        (("--carriers", "sf,ems", "--admit", "5"), "there is no carrier ems"),
        (("--latency", "fast"), "MEDIAN,P99"),
    ],
)
def test_what_cannot_run_says_so(arguments: tuple[str, ...], said: str) -> None:
    found = CliRunner().invoke(app, ["overload", *arguments])
    assert found.exit_code == NOT_RUN
    assert said in found.stderr
    assert "Traceback" not in found.output
