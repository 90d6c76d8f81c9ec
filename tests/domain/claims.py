"""Parcels that came to grief, and claims for them."""

from typing import Any

from gateway.domain.carrier import ClaimKind, Milestone, Verdict
from gateway.domain.claim import Claim, ClaimState
from gateway.domain.parcel import OrderLine
from gateway.domain.refusal import Refusal
from tests.domain.stage import DAY_MS, SHIRT, Stage, terms_of

M = Milestone


def lost(channel: str = "sf", *, lines: tuple[OrderLine, ...] = (SHIRT,), **contract: Any) -> Stage:
    stage = Stage(channel, terms_of(**contract), lines)
    stage.accepted()
    stage.wait(DAY_MS)
    stage.look(Verdict.ACCEPTED, stage.scan(M.LOST))
    assert stage.ic.movement == "LOST"
    return stage


def returned(*extra: Milestone, lines: tuple[OrderLine, ...] = (SHIRT,)) -> Stage:
    stage = Stage("sf", terms_of(), lines)
    stage.accepted()
    stage.wait(DAY_MS)
    scans = (M.RETURNING, *extra, M.RETURN_SIGNED)
    stage.look(None, *(stage.scan(m, stage.now - 5_000 + n) for n, m in enumerate(scans)))
    assert stage.ic.movement == "RETURNED"
    return stage


def filed(stage: Stage, kind: ClaimKind, loss: int, line: OrderLine = SHIRT) -> Claim:
    found = stage.claim(kind, loss, line)
    assert not isinstance(found, Refusal), found
    claim: Claim = found.claim
    return claim


def why(result: object) -> str:
    assert isinstance(result, Refusal), result
    return result.why


def state(stage: Stage, claim: Claim) -> ClaimState:
    return stage.book.need(Claim, claim.id).state
