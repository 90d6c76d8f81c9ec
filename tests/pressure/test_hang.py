"""A carrier that hangs for a moment, and what is made of how long the others' calls took."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest.__main__ import app
from loadtest.pressure import hang
from loadtest.pressure.hang import Half, Hang, Round
from loadtest.traffic import expected
from loadtest.traffic.command import DIFFERENT, GOOD, MISSED, NOT_RUN
from loadtest.traffic.diary import Told
from loadtest.traffic.plan import Options, Plan
from loadtest.traffic.run import Result

ARGUMENTS = (
    *("hang", "--rounds", "1", "--rate", "40", "--seconds", "8", "--warm-up", "1"),
    *("--carriers", "sf,zto,jt"),
)
OPTIONS = hang.options_of(Options(seconds=20.0, warm_s=2.0, carriers=("sf", "zto", "jt")), 30.0)
QUOTE, CREATE = hang.METHODS


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[str], dict[str, Any]]:
    directory = tmp_path_factory.mktemp("hang")
    command = [str(Path(sys.executable).with_name("turnback-load")), *ARGUMENTS]
    command += ["--json", str(directory / "found.json")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    # Of a machine that also runs other tests nothing is expected of its speed.
    assert found.returncode in (GOOD, DIFFERENT, MISSED), found.stdout + found.stderr
    figures = json.loads((directory / "found.json").read_text("utf-8"))
    return found.returncode, found.stdout.splitlines(), figures


def test_it_settles_once_the_carrier_answers_again(
    done: tuple[int, list[str], dict[str, Any]],
) -> None:
    code, said, figures = done
    assert said[-1] == figures["verdict"] == "verdict: clean", "\n".join(said)
    assert code in (GOOD, MISSED)
    (one,) = figures["rounds"]
    for method in hang.METHODS:
        told = one["methods"][method]
        assert min(told["calls"]) >= hang.LEAST / 2
        assert told["during_p99_ms"] / told["before_p99_ms"] == pytest.approx(told["ratio"])


def result(slower: float, options: Options = OPTIONS) -> Result:
    """A run in which each call about another carrier took 10 ms, and during the hang so many times
    as long; calls about the carrier that hangs, and those of the warm-up, took for ever."""
    plan, told = Plan(options), Told()
    for key, arrival in plan.by_key.items():
        begun_s = options.warm_s + options.seconds / 2
        took = 10.0 * (slower if arrival.at_s >= begun_s else 1.0)
        if key[0] == options.stricken or arrival.at_s < options.warm_s:
            took = 9_999.0
        told.visits[key] = {"took_ms": {QUOTE: [took], CREATE: [took * 2]}}
    totals = expected.totals(plan.arrivals, plan)
    return Result(options, totals, [], told, [], Path())


@pytest.mark.parametrize(("slower", "met"), [(1.0, True), (1.5, True), (1.51, False)])
def test_only_calls_about_the_others_are_compared(slower: float, met: bool) -> None:
    one = hang.round_of(result(slower))
    assert one.before.p99_ms(QUOTE) == 10.0
    assert one.during.p99_ms(CREATE) == pytest.approx(20.0 * slower)
    assert [aim.met for aim in Hang([one]).aims] == [met, met]


def test_the_carrier_that_hangs_is_the_first_one() -> None:
    plan = Plan(OPTIONS)
    carriers = {
        key[0] for key, arrival in plan.by_key.items() if hang.half_of(arrival, OPTIONS) is not None
    }
    assert carriers == {"zto", "jt"}


def test_the_median_of_rounds_counts() -> None:
    halves = [Half({QUOTE: [ms], CREATE: [ms]}) for ms in (10.0, 12.0, 14.0, 90.0)]
    rounds = [Round(halves[0], each, result(1.0)) for each in (halves[1], halves[3], halves[2])]
    assert [aim.value for aim in Hang(rounds).aims] == [1.4, 1.4]
    assert not any(aim.met for aim in Hang([*rounds, rounds[1], rounds[1]]).aims)


def test_whoever_got_no_answer_about_the_others_meets_nothing() -> None:
    silent = replace(result(1.0), told=Told())
    assert not any(aim.met for aim in Hang([hang.round_of(silent)]).aims)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--carriers", "sf"), "name two"),
        (("--seconds", "2"), "it takes 100"),
        (("--carriers", "sf,ems"), "there is no carrier ems"),
    ],
)
def test_what_cannot_run_says_so(arguments: tuple[str, ...], said: str) -> None:
    found = CliRunner().invoke(app, ["hang", *arguments])
    assert found.exit_code == NOT_RUN
    assert said in found.stderr
