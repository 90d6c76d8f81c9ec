"""The planted bugs still fit the code, and some are found here; `make teeth` has them all."""

import ast

import pytest

from tests.simulation.bugs import BUGS, Bug
from tests.simulation.planted import ROOT, hunt, planted, table

AT_ONCE = ("capture_twice", "refund_on_time_out", "price_moves")  # each in its first seeds
LEAST = 40


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_applies_to_the_code_as_it_is(bug: Bug) -> None:
    for path, text in planted(bug, ROOT).items():
        assert text != (ROOT / path).read_text("utf-8")
        ast.parse(text)


def test_there_are_enough_and_no_two_are_the_same() -> None:
    names = [bug.name for bug in BUGS]
    edits = [edit for bug in BUGS for edit in bug.edits]
    assert len(names) == len(set(names)) >= LEAST
    assert len(edits) == len(set(edits))
    assert all(bug.what for bug in BUGS)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", AT_ONCE)
def test_a_bug_is_found(name: str) -> None:
    (bug,) = (bug for bug in BUGS if bug.name == name)
    verdict = hunt(bug, seeds=4)
    assert verdict.by == "simulation", table([verdict])
