"""The claims desk over the wire: filing, deciding, settling, and everything that is refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from google.type.money_pb2 import Money

from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from tests.engines import ENGINES, engine
from tests.rpc.world import Code, World, living, refusal, yuan

pytestmark = pytest.mark.asyncio(loop_scope="module")

MALL, DESK, OTHER = "mall-tenant-token", "mall-claims-token", "other-tenant-token"
HALF_DAY_MS = 12 * 3_600_000
AWARD = operations.CLAIM_DECISION_AWARD
PART = operations.CLAIM_DECISION_AWARD_PART
REJECT = operations.CLAIM_DECISION_REJECT


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def world(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    """A world whose clock moves when it is told to; four eyes are needed above 100 yuan."""
    policy = {"four_eyes_above_minor": 10_000}
    with engine(request.param, tmp_path_factory.mktemp("desk")) as made:
        async with living(made.url, frozen=True, policy=policy) as world:
            yield world


async def lost(world: World, name: str, token: str = MALL) -> Any:
    """An accepted interception whose parcel its carrier has lost; the goods are worth 200 yuan."""
    quote = await world.quote(await world.ship(outcome="lost"), token)
    row = await world.settled(quote.id, f"lost-{name}", token)
    for _ in range(60):
        if row.movement == intercepts.MOVEMENT_LOST:
            return row
        await world.post("clock", {"advance_ms": HALF_DAY_MS})
        await world.idle()
        asked = intercepts.InterceptServiceGetRequest(interception_id=row.id)
        row = (await world.ask(asked, token)).interception
    raise AssertionError("the carrier lost nothing")


def filing(row: Any, name: str, loss: Money | None = None) -> claims.ClaimServiceFileRequest:
    return claims.ClaimServiceFileRequest(
        request_id=f"file-{name}",
        interception_id=row.id,
        kind=claims.CLAIM_KIND_LOST,
        order_no=row.order_nos[0],
        line_no="1",
        loss=loss or yuan(250),
        description="never came back",
    )


def deciding(
    claim: Any, name: str, what: Any, amount: Money | None = None, key: str = ""
) -> operations.OperationServiceDecideClaimRequest:
    return operations.OperationServiceDecideClaimRequest(
        request_id=f"decide-{name}",
        claim_id=claim.id,
        decision=what,
        granted=amount,
        decision_key=key,
        note="" if amount else "the label was wrong",
    )


def settling(
    claim: Any, name: str, amount: Money, award: str = ""
) -> operations.OperationServiceRecordOfflineSettlementRequest:
    return operations.OperationServiceRecordOfflineSettlementRequest(
        request_id=f"settle-{name}",
        claim_id=claim.id,
        award_id=award,
        amount=amount,
        reference=f"bank-{name}",
    )


async def no(world: World, request: Message, token: str = MALL) -> tuple[Code, str]:
    code, reason, _ = await refusal(world.ask(request, token))
    return code, reason


async def test_a_claim_is_filed_once_and_shows_its_limits(world: World) -> None:
    row = await lost(world, "limits")
    filed = await world.ask(filing(row, "limits"))
    claim = filed.claim
    assert not filed.replayed
    assert claim.state == claims.CLAIM_STATE_UNDER_REVIEW
    assert claim.reviewer == claims.CLAIM_REVIEWER_OPERATOR
    assert claim.breakdown == claims.ClaimBreakdown(
        loss=yuan(250),
        value=yuan(200),
        cap_remaining=yuan(1_000),
        limit=claims.CLAIM_LIMIT_VALUE,
        result=yuan(200),
    )
    again = await world.ask(filing(row, "limits"))
    assert again.replayed
    assert again.claim == claim
    request = filing(row, "again")
    code, reason, found = await refusal(world.ask(request))
    assert (code, reason) == (Code.ALREADY_EXISTS, "CLAIM_EXISTS")
    assert found["ErrorInfo"][0].metadata["claim_id"] == claim.id
    request = filing(row, "limits", yuan(1))
    assert await no(world, request) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_claim_keeps_its_proofs(world: World) -> None:
    request = filing(await lost(world, "proofs"), "proofs")
    texts = [types.Proof(kind="chat", text=f"message {number}") for number in range(11)]
    photo = types.Proof(kind="photo", uri="https://example.com/a.jpg", sha256="0" * 64)
    request.evidence.extend([*texts, photo])
    claim = (await world.ask(request)).claim
    assert [proof.text for proof in claim.evidence[:11]] == [proof.text for proof in texts]
    assert (claim.evidence[11].uri, claim.evidence[11].sha256) == (photo.uri, photo.sha256)
    assert all(proof.supplied_at == claim.filed_at for proof in claim.evidence)
    assert claim.description == "never came back"
    request.evidence.pop()
    assert await no(world, request) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_filing_is_refused_by_the_contract(world: World) -> None:
    row = await lost(world, "refused")
    request = filing(row, "line")
    request.line_no = "2"
    assert await no(world, request) == (Code.NOT_FOUND, "CLAIM_LINE_UNKNOWN")
    request = filing(row, "euro", Money(currency_code="USD", units=5))
    assert await no(world, request) == (Code.FAILED_PRECONDITION, "CURRENCY_DIFFERS")
    request = filing(row, "damage")
    request.kind = claims.CLAIM_KIND_DAMAGED
    assert await no(world, request) == (Code.FAILED_PRECONDITION, "EVIDENCE_MISSING")
    request.evidence.append(types.Proof(kind="photo", text="a broken heel"))
    assert await no(world, request) == (Code.FAILED_PRECONDITION, "CLAIM_NO_EVENT")
    request.evidence[0].uri = "https://example.com/heel.jpg"
    code, reason, found = await refusal(world.ask(request))
    assert (code, reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    assert found["BadRequest"][0].field_violations[0].field == "evidence[0].sha256"
    request = filing(row, "stranger")
    assert await no(world, request, OTHER) == (Code.PERMISSION_DENIED, "NOT_YOURS")
    quote = await world.quote(await world.ship())
    standing = await world.settled(quote.id, "nothing-lost")
    request = filing(standing, "nothing")
    assert await no(world, request) == (Code.FAILED_PRECONDITION, "CLAIM_NO_EVENT")
    await world.post("clock", {"advance_ms": 31 * 2 * HALF_DAY_MS})
    await world.idle()
    assert await no(world, filing(row, "late")) == (Code.FAILED_PRECONDITION, "CLAIM_WINDOW_CLOSED")


async def test_parts_are_awarded_up_to_the_limits_and_each_once(world: World) -> None:
    claim = (await world.ask(filing(await lost(world, "parts"), "parts"))).claim
    before = (await world.ask(wallets.WalletServiceGetRequest(merchant_id="m1"))).wallet.awarded
    first = await world.ask(deciding(claim, "part-1", PART, yuan(50), "letter-1"), DESK)
    assert not first.replayed
    assert first.award.amount == yuan(50)
    assert first.award.decision_key == "letter-1"
    assert first.award.actor == "mall:claims"
    assert first.award.breakdown.limit == claims.CLAIM_LIMIT_GRANTED
    assert first.award.breakdown.granted == yuan(50)
    assert first.claim.state == claims.CLAIM_STATE_PARTLY_AWARDED
    for name in ("part-1", "part-1-again"):  # the same call, and the same letter in another call
        again = await world.ask(deciding(claim, name, PART, yuan(50), "letter-1"), DESK)
        assert again.replayed
        assert again.award.id == first.award.id
        assert again.claim.awarded == yuan(50)
    second = await world.ask(deciding(claim, "part-2", AWARD, yuan(500), "letter-2"), DESK)
    assert second.award.amount == yuan(150)
    assert second.award.breakdown == claims.ClaimBreakdown(
        loss=yuan(200),
        granted=yuan(500),
        value=yuan(150),
        cap_remaining=yuan(950),
        limit=claims.CLAIM_LIMIT_VALUE,
        result=yuan(150),
    )
    assert second.claim.breakdown == second.award.breakdown
    assert second.claim.state == claims.CLAIM_STATE_AWARDED
    assert second.claim.awards[0].breakdown.granted == yuan(50)
    third = deciding(claim, "part-3", AWARD, yuan(1), "letter-3")
    assert await no(world, third, DESK) == (Code.FAILED_PRECONDITION, "CLAIM_NOT_OPEN")
    after = (await world.ask(wallets.WalletServiceGetRequest(merchant_id="m1"))).wallet.awarded
    assert after.units - before.units == 200
    log = [event.cause for event in await world.log(claim.interception_id)]
    filed = log.index("CLAIM_FILED")
    assert log[filed:].count("LEDGER_AWARD") == 2
    assert log.index("INCIDENT_LOST") < filed < log.index("LEDGER_AWARD")


async def test_a_rejection_says_why_and_grants_nothing(world: World) -> None:
    claim = (await world.ask(filing(await lost(world, "reject"), "reject"))).claim
    decided = await world.ask(deciding(claim, "reject", REJECT), DESK)
    assert not decided.HasField("award")
    assert decided.claim.state == claims.CLAIM_STATE_REJECTED
    assert decided.claim.decided_reason == "the label was wrong"
    assert decided.claim.breakdown.limit == claims.CLAIM_LIMIT_GRANTED
    assert (
        decided.claim.breakdown.result
        == decided.claim.breakdown.granted
        == Money(currency_code="CNY")
    )
    request = deciding(claim, "too-late", AWARD, yuan(1), "letter")
    assert await no(world, request, DESK) == (Code.FAILED_PRECONDITION, "CLAIM_NOT_OPEN")
    reused = deciding(claim, "reject", AWARD, yuan(1), "letter")
    assert await no(world, reused, DESK) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_deciding_is_refused_by_the_contract(world: World) -> None:
    claim = (await world.ask(filing(await lost(world, "decide"), "decide"))).claim
    request = deciding(claim, "bare", AWARD)
    code, _, found = await refusal(world.ask(request, DESK))
    assert code is Code.INVALID_ARGUMENT
    fields = [violation.field for violation in found["BadRequest"][0].field_violations]
    assert fields == ["granted", "decision_key"]
    assert await no(world, deciding(claim, "with", REJECT, yuan(1)), DESK) == (
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD",
    )
    question = deciding(claim, "ask", operations.CLAIM_DECISION_QUESTION)
    assert await no(world, question, DESK) == (Code.UNIMPLEMENTED, "NOT_OFFERED")
    dollars = Money(currency_code="USD", units=5)
    request = deciding(claim, "dollar", AWARD, dollars, "letter")
    assert await no(world, request, DESK) == (Code.FAILED_PRECONDITION, "CURRENCY_DIFFERS")
    request = deciding(claim, "stranger", AWARD, yuan(1), "letter")
    assert await no(world, request, OTHER) == (Code.PERMISSION_DENIED, "NOT_YOURS")
    for role in ("tenant", "treasury", "operator"):
        told = await no(world, request, f"mall-{role}-token")
        assert told == (Code.PERMISSION_DENIED, "ROLE_MISSING")
    request.claim_id = "f" * 26
    assert await no(world, request, DESK) == (Code.PERMISSION_DENIED, "NOT_YOURS")


async def test_above_the_threshold_four_eyes_decide(world: World) -> None:
    row = await lost(world, "eyes", OTHER)
    claim = (await world.ask(filing(row, "eyes"), OTHER)).claim
    request = deciding(claim, "much", AWARD, yuan(101), "letter-1")
    assert await no(world, request, OTHER) == (Code.FAILED_PRECONDITION, "CLAIM_SAME_ACTOR")
    little = deciding(claim, "little", PART, yuan(60), "letter-2")
    assert (await world.ask(little, OTHER)).award.amount == yuan(60)
    more = deciding(claim, "more", PART, yuan(60), "letter-3")  # one slice more is too much
    assert await no(world, more, OTHER) == (Code.FAILED_PRECONDITION, "CLAIM_SAME_ACTOR")


async def test_a_payment_settles_one_award_whole_and_once(world: World) -> None:
    claim = (await world.ask(filing(await lost(world, "settle"), "settle"))).claim
    nothing = settling(claim, "early", yuan(50))
    assert await no(world, nothing, DESK) == (Code.UNIMPLEMENTED, "NOT_OFFERED")
    decided = await world.ask(deciding(claim, "settle", AWARD, yuan(80), "letter"), DESK)
    award = decided.award.id
    for name, amount, expected in (
        ("part", yuan(79), (Code.UNIMPLEMENTED, "NOT_OFFERED")),
        ("more", yuan(81), (Code.FAILED_PRECONDITION, "EXCEEDS_AWARD")),
        ("dollar", Money(currency_code="USD", units=80), (Code.FAILED_PRECONDITION, DIFFERS)),
    ):
        assert await no(world, settling(claim, name, amount), DESK) == expected
    foreign = settling(claim, "foreign", yuan(80), "f" * 26)
    assert await no(world, foreign, DESK) == (Code.PERMISSION_DENIED, "NOT_YOURS")
    request = settling(claim, "whole", yuan(80))
    assert await no(world, request, OTHER) == (Code.PERMISSION_DENIED, "NOT_YOURS")
    for role in ("tenant", "treasury", "operator"):
        told = await no(world, request, f"mall-{role}-token")
        assert told == (Code.PERMISSION_DENIED, "ROLE_MISSING")
    settled = await world.ask(request, DESK)
    assert not settled.replayed
    assert settled.award.id == award
    assert settled.award.paid
    assert settled.award.paid_reference == "bank-whole"
    assert settled.claim.paid_in_full
    again = await world.ask(request, DESK)
    assert again.replayed
    assert again.award == settled.award
    twice = settling(claim, "twice", yuan(80), award)
    assert await no(world, twice, DESK) == (Code.FAILED_PRECONDITION, "CLAIM_NOT_OPEN")


DIFFERS = "CURRENCY_DIFFERS"


async def test_what_is_not_offered_is_said_so(world: World) -> None:
    claim = (await world.ask(filing(await lost(world, "offer"), "offer"))).claim
    withdraw = claims.ClaimServiceWithdrawRequest(request_id="take-it-back", claim_id=claim.id)
    assert await no(world, withdraw) == (Code.UNIMPLEMENTED, "NOT_OFFERED")
    supply = claims.ClaimServiceSupplyEvidenceRequest(
        request_id="one-more", claim_id=claim.id, evidence=[types.Proof(kind="chat", text="see")]
    )
    assert await no(world, supply) == (Code.UNIMPLEMENTED, "NOT_OFFERED")


async def test_after_all_of_it_the_books_are_right(world: World) -> None:
    audit = operations.OperationServiceAuditRequest()
    answer = await world.ask(audit, "mall-operator-token")
    assert answer.clean, [rule for rule in answer.rules if rule.violation_count]
