"""The model says what the gateway does: traces that together take every kind of step are played
on the real decisions, which must come to the same columns, attempts, leases and exceptions."""

from collections.abc import Iterator

import pytest

from adapters import ADAPTERS
from gateway.domain.interception import DECISIONS, Decision, Event
from tests.model.cases import AGAIN_BY_WAYBILL, BROKEN_PROMISES, SAFE, TRACKED, ZTO, Case
from tests.model.ours import move
from tests.model.parts import START, Carrier, IllegalStep, Protocol, Query, State, Step
from tests.model.played import ACTS, Played, stage_of
from tests.model.search import Search
from tests.model.tell import trace
from tests.model.world import Model

# what the gateway does not do: it asks with a query that may speak of another's interception,
# and takes "too late" as no answer
BUILT = [
    case
    for case in (*SAFE, *BROKEN_PROMISES)
    if case.how in (Protocol(), AGAIN_BY_WAYBILL) and case.able.query is not Query.OURS
]
STATES = 2_000  # of each case, the shallowest
Way = list[tuple[Step, State]]


def ways(case: Case) -> Iterator[Way]:
    """A shortest trace to each kind of step that reaches the store."""
    search = Search(Model(case.able, case.how, case.world), states_max=STATES)
    search.run()
    seen = set()
    for place, before in enumerate(search.states):
        for step, after in search.model.successors(before):
            kind = (step.name, step.choice, view(before), view(after))
            if step.name in ACTS and kind not in seen:
                seen.add(kind)
                yield [*search.trace(place), (step, after)]


def view(s: State) -> tuple[object, ...]:
    return s.decision, s.cancel, tuple(post.row for post in s.posts), s.deadline


def play(case: Case, way: Way) -> None:
    here = Played(stage_of(case.able))
    before = START
    for place, (step, after) in enumerate(way, 1):
        try:
            here.play(step, before, after)
        except AssertionError as error:
            error.add_note("\n".join((*trace(way[:place]), f"but {here.stage.columns}")))
            raise
        before = after
    here.stage.audit()


@pytest.mark.parametrize("case", BUILT, ids=lambda case: case.name)
def test_the_gateway_takes_every_step_as_the_model_does(case: Case) -> None:
    played = 0
    for way in ways(case):
        play(case, way)
        played += 1
    assert played > 20


def test_the_decisions_are_the_gateways_own_table() -> None:
    for decision in Decision:
        for event in Event:
            s = START._replace(decision=decision)
            if (decision, event) in DECISIONS:
                assert move(s, event).decision is DECISIONS[decision, event][0]
            else:
                with pytest.raises(IllegalStep):
                    move(s, event)


@pytest.mark.parametrize(("name", "carrier"), [("zto", ZTO), ("sf", TRACKED)])
def test_the_carriers_of_the_table_are_the_registrys(name: str, carrier: Carrier) -> None:
    adapter = ADAPTERS[name]
    assert carrier.dedup is adapter.dedup.value
    assert carrier.promise is adapter.promise_on.value
    assert carrier.tombstone == adapter.tombstone.value
    assert carrier.track == (adapter.track is not None)
    assert (carrier.query is not Query.NONE) == (adapter.query is not None)
