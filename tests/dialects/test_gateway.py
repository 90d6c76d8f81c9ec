"""A lost answer is settled as the carrier's adapter declares, by the real gateway."""

from dataclasses import replace

import pytest

from adapters import ADAPTERS
from simulator.dialects import DIALECTS
from tests.dialects import stage
from tests.dialects.bench import bench
from tests.dialects.spoiling import answering, is_, performing
from tests.dialects.test_contract import each, nothing
from tests.simulation import gateway


@each
def test_lost_answers_end_as_the_carrier_made_it(carrier: str) -> None:
    nothing(stage.performed(carrier))


# --- and it can fail ------------------------------------------------------------------------


def test_what_is_carried_out_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench("zto", performing(lambda asked: replace(asked, twice=True)))
    monkeypatch.setitem(DIALECTS, "zto", made.dialect)
    assert any("effects at the carrier" in what for what in stage.performed("zto"))


def test_a_promise_that_is_none_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench("zto", answering(is_("accepted"), "query"))
    monkeypatch.setattr(gateway, "ADAPTERS", {**ADAPTERS, "zto": made.adapter})
    assert any("the carrier never accepted" in what for what in stage.performed("zto"))
