"""Seeds of the simulation, each in a process of its own: it takes over time and the log."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
SEEDS, SIZE = 20, 50
NEW = ("strait.", "plight.")
LEFT = """
import gc
from tests.simulation.world import World, play
for seed in range(15, 19):
    play(seed, 20)
print(sum(isinstance(each, World) for each in gc.get_objects()))
"""


def told(*arguments: str, hashes: str = "0") -> tuple[dict[str, Any], str]:
    """What a run says, as JSON and in its last line."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.simulation", "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hashes},
        capture_output=True,
        text=True,
        check=False,
    )
    *_, body, last = done.stdout.splitlines() or [done.stderr, ""]
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads(body)
    return found, last


@pytest.mark.timeout(280)
def test_nothing_is_ever_wrong_in_twenty_seeds() -> None:
    found, last = told("--seeds", str(SEEDS), "--size", str(SIZE))
    assert last == f"simulation: {SEEDS} seeds, 0 violations"
    assert found["kills"] > SEEDS
    unmet = [name for name, count in found["met"].items() if not count]
    assert len(unmet) < 8, unmet


def test_seeds_that_found_a_bug_find_none_now() -> None:
    _, last = told("--found")
    assert last.endswith(" 0 violations")


@pytest.mark.timeout(280)
def test_nothing_is_ever_wrong_whoever_carries() -> None:
    _, last = told("--carriers", "all", "--seeds", "3", "--size", "80")
    assert last == "simulation: 3 seeds, 0 violations"


def test_a_seed_is_one_history_whatever_the_process() -> None:
    runs = [told("--seeds", "2", "--size", "20", hashes=hashes)[0] for hashes in ("1", "2", "77")]
    assert runs[0] == runs[1] == runs[2]
    assert len(set(runs[0]["seeds"].values())) == 2


def test_worlds_are_gone_with_their_seeds() -> None:
    """What the killed leave behind adds up; two of these worlds would stay."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LEFT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0"]


def test_figures_add_up_over_runs(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.json"), "--size", "4")
    first, _ = told("--seeds", "1", *state)
    both, last = told("--seeds", "2", *state)
    alone, _ = told("--seeds", "1", "--start", "2", "--size", "4")
    assert last == "simulation: 2 seeds, 0 violations"
    assert both["seeds"] == first["seeds"] | alone["seeds"]
    assert all(both["met"][n] == first["met"][n] + alone["met"][n] for n in both["met"])


def test_recorded_seeds_can_be_played_without_straits() -> None:
    hard, _ = told("--seeds", "1", "--size", "50")
    plain, last = told("--seeds", "1", "--size", "50", "--no-straits")
    assert last == "simulation: 1 seeds, 0 violations"
    in_hard, in_plain = (
        [name for name, count in run["met"].items() if count and name.startswith(NEW)]
        for run in (hard, plain)
    )
    assert in_hard
    assert not in_plain
