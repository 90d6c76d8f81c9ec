"""A parcel's whole life, and all that is pushed of it, through both ends of every carrier."""

import json
from functools import partial

import pytest

from adapters import ADAPTERS
from gateway.domain.carrier import Tier
from simulator.outcomes import Outcome
from simulator.world import ReturnNumber
from tests.dialects import pushing, story
from tests.dialects.bench import bench
from tests.dialects.test_contract import each, nothing
from tests.test_adapters import GOLDEN

each_form = pytest.mark.parametrize("form", pushing.FORMATS)


@each
@pytest.mark.parametrize("outcome", story.PLAYED)
def test_a_life_is_seen_as_it_was(carrier: str, outcome: Outcome) -> None:
    nothing(story.a_life_is_seen_as_it_was(partial(bench, carrier), outcome))


@each
@pytest.mark.parametrize("number", ReturnNumber)
def test_a_return_may_keep_its_number_or_not(carrier: str, number: ReturnNumber) -> None:
    nothing(story.a_return_may_keep_its_number_or_not(partial(bench, carrier), number))


@each
def test_a_cancel_counts_until_the_parcel_is_turned(carrier: str) -> None:
    nothing(story.a_cancel_counts_until_the_parcel_is_turned(partial(bench, carrier)))


@each
def test_an_order_is_cancelled_before_pick_up_only(carrier: str) -> None:
    nothing(story.an_order_is_cancelled_before_pick_up_only(partial(bench, carrier)))


@each
def test_a_price_is_told_only_where_the_carrier_would(carrier: str) -> None:
    nothing(story.a_price_is_told_only_where_the_carrier_would(partial(bench, carrier)))


@each
@pytest.mark.parametrize("decision", ["grant", "partial", "reject"])
def test_a_claim_is_decided_as_the_carrier_does(carrier: str, decision: str) -> None:
    nothing(story.a_claim_is_decided_as_the_carrier_does(partial(bench, carrier), decision))


# --- pushes ---------------------------------------------------------------------------------


def tiers(carrier: str) -> set[Tier | None]:
    """How far the golden pushes of a carrier are believed."""
    file = GOLDEN / carrier / "push.json"
    if ADAPTERS[carrier].push is None or not file.exists():
        return set()
    cases = json.loads(file.read_text("utf-8"))["pushes"]
    return {Tier(case["tier"]) for case in cases if case["tier"] is not None}


@each
def test_both_ends_push_or_neither(carrier: str) -> None:
    nothing(pushing.both_ends_push_or_neither(partial(bench, carrier), tiers(carrier)))


@each
@each_form
def test_every_push_is_read(carrier: str, form: str) -> None:
    nothing(pushing.every_push_is_read(partial(bench, carrier), form))


@each
@each_form
def test_only_what_may_be_believed_is(carrier: str, form: str) -> None:
    nothing(pushing.what_may_be_believed(partial(bench, carrier), form))


@each
@each_form
def test_an_acknowledgement_is_one(carrier: str, form: str) -> None:
    nothing(pushing.an_acknowledgement_is_one(partial(bench, carrier), form))


@each
@each_form
def test_several_in_one_are_all_read(carrier: str, form: str) -> None:
    nothing(pushing.several_in_one_are_all_read(partial(bench, carrier), form))
