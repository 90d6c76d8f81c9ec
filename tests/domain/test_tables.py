"""The transition tables, proved over every pair and every reachable path."""

from itertools import product
from typing import NamedTuple

import pytest

from gateway.domain.interception import (
    AT_CARRIER,
    CANCELS,
    DECISIONS,
    INITIAL,
    MONEY,
    MOVEMENTS,
    PROMISED,
    SETTLED,
    UNDECIDED,
    Cancel,
    Column,
    Decision,
    Effect,
    Event,
    IllegalTransition,
    Money,
    Movement,
    State,
    derived,
    edges,
    step,
)

D, E, F = Decision, Event, Effect
TERMINAL = frozenset(D) - UNDECIDED - {D.ACCEPTED}


class Way(NamedTuple):
    """Where an interception may be, and what its money has been through."""

    decision: Decision
    movement: Movement
    money: Money
    cancel: Cancel
    captures: int = 0
    releases: int = 0
    refunds: int = 0


def paid(way: Way, effects: tuple[Effect, ...]) -> Way:
    """The money after these effects; an effect that is no edge is an error of the table."""
    for effect in effects:
        if way.money is Money.NONE:
            continue
        target = SETTLED[effect]
        assert target in MONEY[way.money], f"{effect} of {way.money} in {way.decision}"
        way = way._replace(
            money=target,
            captures=way.captures + (effect is F.CAPTURE),
            releases=way.releases + (effect is F.RELEASE),
            refunds=way.refunds + (effect is F.REFUND),
        )
    return way


def onward(way: Way) -> list[Way]:
    """Every step the tables allow from here, as the domain applies them."""
    found = []
    for (source, _event), (target, effects) in DECISIONS.items():
        if source is way.decision:
            refund = F.REFUND in effects and way.money is Money.REFUNDED
            if not refund:  # the domain withdraws only before movement, hence before a refund
                found.append(paid(way._replace(decision=target), effects))
    if way.decision in PROMISED:
        for movement in MOVEMENTS[way.movement]:
            moved = way._replace(movement=movement)
            found.append(moved)
            if movement is Movement.RETURN_FAILED and way.money is Money.CAPTURED:
                found.append(paid(moved, (F.REFUND,)))
    found += [way._replace(cancel=cancel) for cancel in CANCELS[way.cancel]]
    return found


def reachable() -> set[Way]:
    """Everything that can be reached from a beginning, by walking all of it."""
    begins = product(INITIAL[Column.DECISION], INITIAL[Column.MONEY])
    waiting = [Way(D(d), Movement.NONE, Money(m), Cancel.NONE) for d, m in begins]
    seen = set(waiting)
    while waiting:
        for way in onward(waiting.pop()):
            if way not in seen:
                seen.add(way)
                waiting.append(way)
    return seen


@pytest.mark.parametrize("decision", D)
@pytest.mark.parametrize("event", E)
def test_a_transition_is_in_the_table_or_does_not_exist(decision: Decision, event: Event) -> None:
    if (decision, event) in DECISIONS:
        assert step(decision, event) == DECISIONS[decision, event]
    else:
        with pytest.raises(IllegalTransition):
            step(decision, event)


def test_terminal_is_terminal_but_for_a_late_acceptance() -> None:
    ways_out = {(source, event) for source, event in DECISIONS if source in TERMINAL}
    assert ways_out == {(D.REFUSED, E.LATE), (D.NEVER_SENT, E.LATE)}
    assert {source for source, _ in DECISIONS if source is D.LATE_ACCEPTED} == set()
    for ended in (Movement.RETURNED, Movement.RETURN_FAILED, Movement.NOT_SHIPPED):
        assert not MOVEMENTS[ended]
    assert not MONEY[Money.RELEASED] | MONEY[Money.REFUNDED] | MONEY[Money.NONE]
    assert not CANCELS[Cancel.DENIED] | CANCELS[Cancel.DONE]


def test_an_event_moves_money_by_its_name() -> None:
    for (source, event), (target, effects) in DECISIONS.items():
        match event:
            case E.ACCEPT:
                assert (target, effects) == (D.ACCEPTED, (F.CAPTURE,))
            case E.REFUSE:
                assert (target, effects) == (D.REFUSED, (F.RELEASE,))
            case E.EXPIRE:
                assert (target, effects) == (D.NEVER_SENT, (F.RELEASE,))
            case E.WITHDRAW:
                assert (target, effects) == (D.CANCELLED, (F.RELEASE,))
            case E.CANCEL_ACK:
                back = F.REFUND if source is D.ACCEPTED else F.RELEASE
                assert (target, effects) == (D.CANCELLED, (back,))
            case _:
                assert effects == ()


def test_a_fee_is_settled_exactly_when_the_decision_is() -> None:
    for (source, _event), (target, effects) in DECISIONS.items():
        settles = bool({F.CAPTURE, F.RELEASE} & set(effects))
        assert settles == (source in UNDECIDED and target not in UNDECIDED)


def test_no_path_settles_twice_captures_after_a_release_or_refunds_before_a_capture() -> None:
    ways = reachable()
    assert len(ways) > 100
    for way in ways:
        assert way.captures + way.releases <= 1
        assert way.refunds <= way.captures
        assert (way.money is Money.HELD) <= (way.decision in UNDECIDED)
        if way.decision is D.ACCEPTED:
            assert way.money in (Money.NONE, Money.CAPTURED, Money.REFUNDED)
        if way.decision in (D.REFUSED, D.NEVER_SENT, D.LATE_ACCEPTED):
            assert way.money in (Money.NONE, Money.RELEASED)


def test_every_decision_can_be_reached_and_every_undecided_one_can_end() -> None:
    ways = reachable()
    assert {way.decision for way in ways} == set(D)
    assert {way.movement for way in ways} == set(Movement)
    assert {way.money for way in ways} == set(Money)
    for way in ways:
        if way.decision in UNDECIDED:
            nexts = {target for (source, _), (target, _) in DECISIONS.items() if source is way[0]}
            assert nexts


def test_what_the_carrier_may_have_is_never_left_by_a_timer() -> None:
    for decision in AT_CARRIER:
        events = {event for source, event in DECISIONS if source is decision}
        assert not events & {E.SEND, E.NOT_SENT, E.LOSE, E.WITHDRAW}


def test_edges_are_what_the_tables_say() -> None:
    told = list(edges())
    assert len(told) == len(set(told))
    by_column = {column: {(a, b) for c, a, b in told if c is column} for column in Column}
    starts = {("", value) for value in INITIAL[Column.DECISION]}
    moves = {(source, target) for (source, _), (target, _) in DECISIONS.items()}
    assert by_column[Column.DECISION] == starts | moves
    starts = {("", value) for value in INITIAL[Column.MONEY]}
    assert by_column[Column.MONEY] == starts | {(a, b) for a in MONEY for b in MONEY[a]}
    assert by_column[Column.MOVEMENT] == {(a, b) for a in MOVEMENTS for b in MOVEMENTS[a]}
    assert by_column[Column.CANCEL] == {(a, b) for a in CANCELS for b in CANCELS[a]}


def test_everybody_gets_one_word_for_every_combination() -> None:
    words = {derived(decision, movement) for decision, movement in product(D, Movement)}
    assert words == set(State)
    for decision, movement in product(UNDECIDED, Movement):
        assert derived(decision, movement) is State.DECIDING
