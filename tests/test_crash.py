"""Gateways killed at commit points and at random moments, on either store, as a run of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.cluster import BINARIES, binaries
from loadtest.judge import unfenced
from loadtest.tally import MOMENT, PAUSE, Row, Tally
from tests.engines import missing

POINTS = (
    "before_commit:CreateInterception",
    "after_commit:CreateInterception",
    "before_socket",
    "after_commit:Observe",
    "before_push_acknowledged",
    "after_commit:ReceivePart",
    "before_commit:PostStatement",
    "after_commit:JudgeStatement",
)
FEW = ("before_commit:CreateInterception", "before_socket", "after_commit:Finish")


def crash(state: Path, *arguments: str) -> Tally:
    """One run that must find nothing wrong."""
    program = Path(sys.executable).with_name("turnback-load")
    command = [str(program), "crash", "--no-durable", "--state", str(state), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=270)
    assert done.returncode == 0, done.stdout + done.stderr
    tally = Tally.load(state)
    last = f"crash: {tally.kills} kills, 0 violations"
    assert done.stdout.splitlines()[-1] == last, done.stdout + done.stderr
    return tally


@pytest.mark.timeout(280)
def test_nothing_is_lost_or_doubled_on_sqlite(tmp_path: Path) -> None:
    few = ["--points", ",".join(POINTS), "--times", "1", "--random", "1"]
    store = crash(tmp_path / "state", *few, "--interceptions", "12").stores["sqlite"]
    assert all(store.done[point] == 1 for point in POINTS)
    assert store.done[MOMENT] >= 1


@pytest.mark.timeout(280)
def test_nothing_is_lost_or_doubled_by_three_replicas_on_postgres(tmp_path: Path) -> None:
    if binaries() is None and not os.environ.get("CI"):
        missing(f"PostgreSQL: {BINARIES} names no server, and none is here")
    few = ["--points", ",".join(FEW), "--times", "1", "--random", "1", "--databases", "1"]
    some = ["--interceptions", "12", "--pause-s", "4"]
    store = crash(tmp_path / "state", "--store", "postgres", *few, *some).stores["postgres"]
    assert all(store.done[point] == 1 for point in FEW)
    assert store.done[MOMENT] >= 1
    assert (store.done[PAUSE], store.done["the database"]) == (1, 1)


def test_runs_add_up_and_go_on(tmp_path: Path) -> None:
    path = tmp_path / "state"
    for wrong in ([], ["at before_socket: an effect too many"]):
        tally = Tally.load(path)
        rows = [Row("before_socket", kills=3), Row(MOMENT, kills=2), Row(PAUSE, kills=1)]
        tally.add("postgres", rows, 20, 1.5, wrong)
        tally.save(path)
    tally.add("sqlite", [Row(MOMENT, kills=1)], 5, 0.5, [])
    assert tally.stores["postgres"].done == {"before_socket": 6, MOMENT: 4, PAUSE: 2}
    assert (tally.kills, tally.wrong) == (11, 1), "a pause is no kill"
    assert tally.violations == ["postgres: at before_socket: an effect too many"]
    path.write_text(json.dumps({"version": 0}), "utf-8")
    with pytest.raises(ValueError, match="no tally"):
        Tally.load(path)


@pytest.mark.parametrize(
    ("seen", "started", "wrong"),
    [
        ([100, 300], [90, 290], 0),
        ([300], [90, 290], 0),  # the first was never sent
        ([100, 101], [90], 1),  # sent twice
        ([80], [90], 1),  # sent before it was written
        ([400], [90], 1),  # sent long after: its lease had lapsed
        ([100, 400], [90, 95], 1),
        ([], [90], 0),
    ],
)
def test_every_request_needs_an_attempt_that_held_its_lease(
    seen: list[int], started: list[int], wrong: int
) -> None:
    assert len(list(unfenced(seen, started, within_ms=200))) == wrong


def test_several_gateways_need_a_shared_database() -> None:
    program = Path(sys.executable).with_name("turnback-load")
    done = subprocess.run(
        [program, "crash", "--replicas", "2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert re.search("share", done.stderr)
