"""The suite can fail: each of its checks finds what it is there for, at every carrier."""

from functools import partial

import pytest

from adapters import ADAPTERS
from tests.dialects.bench import CARRIERS, bench
from tests.dialects.spoiling import FAULTS, TEXT_FAULTS, Fault, text_found


def fits(fault: Fault, name: str) -> bool:
    try:
        return fault.fits(ADAPTERS[name])
    except Exception:  # a carrier that does not even come on the bench fails by its own tests
        return True


PLANTED = [(name, fault) for name in CARRIERS for fault in FAULTS if fits(fault, name)]


@pytest.mark.parametrize(
    ("carrier", "fault"),
    PLANTED,
    ids=[f"{name}-{fault.name.replace(' ', '-')}" for name, fault in PLANTED],
)
def test_it_is_found(carrier: str, fault: Fault) -> None:
    assert list(fault.check(partial(bench, carrier, fault.spoil)))


def test_every_fault_fits_some_carrier() -> None:
    fitting = {fault.name for _, fault in PLANTED}
    of_tokens = {"an ended token is refused for ever", "every parcel has a price"}
    assert {fault.name for fault in FAULTS} - fitting <= of_tokens


@pytest.mark.parametrize("name", TEXT_FAULTS)
def test_text_that_is_changed_on_its_way_is_found(name: str) -> None:
    spoil, text = TEXT_FAULTS[name]
    found = {carrier: text_found(carrier, spoil, text) for carrier in CARRIERS}
    assert sum(map(bool, found.values())) >= min(2, len(CARRIERS))
