"""The gateway killed once at every commit point, as a run of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

INTERCEPTIONS = 20


@pytest.mark.timeout(280)
def test_nothing_is_lost_or_doubled_at_any_commit_point() -> None:
    program = Path(sys.executable).with_name("turnback-load")
    arguments = ["crash", "--times", "1", "--interceptions", str(INTERCEPTIONS)]
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=270
    )
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, done.stdout + done.stderr
    assert last, done.stderr
    counts = re.fullmatch(r"crash: (\d+) points, (\d+) kills, 0 violations", last[0])
    assert counts, done.stdout
    assert counts[1] == counts[2], "every point is met, and once"
