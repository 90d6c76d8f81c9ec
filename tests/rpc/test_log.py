"""The log of an interception: causes above effects, also where all of it is one moment."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway.domain.carrier import Verdict
from gateway.domain.interception import (
    Attempt,
    AttemptKind,
    Cancel,
    Column,
    Decision,
    EventRow,
    Evidence,
    EvidenceKind,
    Interception,
    Money,
    Movement,
    Outcome,
)
from gateway.domain.record import replace
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.rpc.history import Rows, ordered
from tests.engines import ENGINES, engine
from tests.rpc.world import World, living

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = 1_700_000_000_000
ROW = Interception(
    id="i",
    tenant="mall",
    merchant="mall/m1",
    parcel="p",
    quote="q",
    channel="sf",
    account="main",
    waybill="SF1",
    fee_minor=800,
    cap_minor=100_000,
    currency="CNY",
    agreement="auto-pay",
    cancel_ticket="",
    decision=Decision.PROCESSING,
    movement=Movement.NONE,
    failure="",
    money=Money.HELD,
    cancel=Cancel.NONE,
    path="",
    reason="",
    carrier_code="",
    reference="",
    assumed=False,
    version=1,
    created_at=NOW,
    sent_at=NOW,
    decided_at=0,
    promised_at=0,
    send_deadline=NOW,
    evidence_by=NOW,
    request_id="r",
    network="sf",
    quoted_status="in_transit",
    updated_at=NOW,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def still(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    """A world whose clock stands still: everything happens in one moment."""
    with engine(request.param, tmp_path_factory.mktemp("still")) as made:
        async with living(made.url, frozen=True) as world:
            yield world


def line(event: Any) -> str:
    if event.column == pb.EVENT_COLUMN_NOTE:
        return str(event.cause).split()[0]
    return f"{event.from_value}>{event.to_value}"


ACCEPTED = """
>SENDING >HELD LEDGER_HOLD REQUEST_SENT
REQUEST_ANSWERED ACCEPTED SENDING>ACCEPTED HELD>CAPTURED LEDGER_CAPTURE
"""
LOST = """
>SENDING >HELD LEDGER_HOLD REQUEST_SENT
REQUEST_LOST UNKNOWN SENDING>UNKNOWN
"""


async def test_a_moment_has_its_causes_above_its_effects(still: World) -> None:
    quote = await still.quote(await still.ship())
    row = await still.settled(quote.id, "one-moment-1")
    events = await still.log(row.id)
    lines = [line(event) for event in events]
    assert lines[0].startswith("SCAN_")  # read for the quote
    assert [word for word in lines if not word.startswith("SCAN_")] == ACCEPTED.split()
    assert len({event.at.ToMilliseconds() for event in events}) == 1
    numbers = [event.seq for event in events if event.column != pb.EVENT_COLUMN_NOTE]
    assert numbers == list(range(1, row.version + 1))
    assert all(event.seq == 0 for event in events if event.column == pb.EVENT_COLUMN_NOTE)


async def test_pages_of_a_moment_are_the_log(still: World) -> None:
    quote = await still.quote(await still.ship())
    row = await still.settled(quote.id, "one-moment-2")
    request = pb.InterceptServiceListEventsRequest(interception_id=row.id, page_size=2)
    paged: list[Any] = []
    for _ in range(20):
        page = await still.ask(request)
        paged += page.events
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert paged == await still.log(row.id)


async def test_a_lost_answer_stands_below_its_request(still: World) -> None:
    fault = {"carrier": "sf", "name": "reset_after", "operation": "intercept", "times": 1}
    quote = await still.quote(await still.ship())
    await still.post("faults", fault)
    row = (await still.create(quote.id, "one-moment-3")).interception
    for _ in range(100):
        if row.decision != pb.DECISION_SENDING:
            break
        asked = pb.InterceptServiceGetRequest(interception_id=row.id)
        row = (await still.ask(asked)).interception
    assert row.decision == pb.DECISION_UNKNOWN
    lines = [line(event) for event in await still.log(row.id)]
    assert [word for word in lines if not word.startswith("SCAN_")][:7] == LOST.split()


async def test_a_scan_stands_where_it_was_learnt(still: World) -> None:
    """It led to the movement, however long before it had happened."""
    quote = await still.quote(await still.ship())
    row = await still.settled(quote.id, "learnt-later")
    for _ in range(40):
        await still.post("clock", {"advance_ms": 12 * 3_600_000})
        await still.idle()
        asked = pb.InterceptServiceGetRequest(interception_id=row.id)
        row = (await still.ask(asked)).interception
        if row.movement == pb.MOVEMENT_RETURNED:
            break
    lines = [line(event) for event in await still.log(row.id)]
    moved = next(word for word in lines if word.startswith("NONE>RETURN"))
    assert lines.index("HELD>CAPTURED") < lines.index("SCAN_RETURNING") < lines.index(moved)
    last_scan = max(index for index, word in enumerate(lines) if word.startswith("SCAN_"))
    returned = next(index for index, word in enumerate(lines) if word.endswith(">RETURNED"))
    assert last_scan < returned


# -- the rows alone ---------------------------------------------------------------------------


def event(seq: int, column: Column, source: str, target: str, proof: str | None = None) -> EventRow:
    return EventRow(f"i/{seq}", "i", "mall", seq, column, source, target, "", proof, "system", NOW)


def proof(key: str, kind: EvidenceKind, verdict: Verdict, attempt: str | None = None) -> Evidence:
    return Evidence(key, "i", kind, 1, attempt, None, verdict, "none", "", "", False, NOW)


def attempt(key: str, gen: int, outcome: Outcome, kind: AttemptKind = AttemptKind.POST) -> Attempt:
    return Attempt(key, "i", kind, gen, NOW, NOW, NOW, NOW, outcome)


D, C = Column.DECISION, Column.CANCEL
BEGUN = (event(1, D, "", "SENDING"), event(2, Column.MONEY, "", "HELD"))
CASES: dict[str, tuple[tuple[EventRow, ...], tuple[Evidence, ...], tuple[Attempt, ...], str]] = {
    "sent again after a query that shows nothing": (
        (
            *BEGUN,
            event(3, D, "SENDING", "UNKNOWN", "reply/a"),
            event(4, D, "UNKNOWN", "QUEUED", "q"),
            event(5, D, "QUEUED", "SENDING"),
            event(6, D, "SENDING", "PROCESSING", "reply/b"),
        ),
        (
            proof("reply/a", EvidenceKind.REPLY, Verdict.UNKNOWN, "a"),
            proof("q", EvidenceKind.QUERY, Verdict.ABSENT),
            proof("reply/b", EvidenceKind.REPLY, Verdict.RECEIVED, "b"),
        ),
        (attempt("a", 1, Outcome.ABSENT), attempt("b", 2, Outcome.ANSWERED)),
        ">SENDING >HELD REQUEST_SENT REQUEST_LOST UNKNOWN SENDING>UNKNOWN ABSENT UNKNOWN>QUEUED "
        "QUEUED>SENDING REQUEST_SENT REQUEST_ANSWERED RECEIVED SENDING>PROCESSING",
    ),
    "repeated while unknown, and answered": (
        (
            *BEGUN,
            event(3, D, "SENDING", "UNKNOWN", "reply/a"),
            event(4, D, "UNKNOWN", "PROCESSING", "reply/b"),
        ),
        (
            proof("reply/a", EvidenceKind.REPLY, Verdict.UNKNOWN, "a"),
            proof("reply/b", EvidenceKind.REPLY, Verdict.DUPLICATE, "b"),
        ),
        (attempt("a", 1, Outcome.LOST), attempt("b", 2, Outcome.ANSWERED)),
        ">SENDING >HELD REQUEST_SENT REQUEST_LOST UNKNOWN SENDING>UNKNOWN "
        "REQUEST_SENT REQUEST_ANSWERED DUPLICATE UNKNOWN>PROCESSING",
    ),
    "repeated while unknown, in vain": (
        (*BEGUN, event(3, D, "SENDING", "UNKNOWN", "reply/a")),
        (
            proof("reply/a", EvidenceKind.REPLY, Verdict.UNKNOWN, "a"),
            proof("reply/b", EvidenceKind.REPLY, Verdict.UNKNOWN, "b"),
        ),
        (attempt("a", 1, Outcome.LOST), attempt("b", 2, Outcome.LOST)),
        ">SENDING >HELD REQUEST_SENT REQUEST_LOST UNKNOWN SENDING>UNKNOWN "
        "REQUEST_SENT REQUEST_LOST UNKNOWN",
    ),
    "its holder has gone": (
        (*BEGUN, event(3, D, "SENDING", "UNKNOWN")),
        (),
        (attempt("a", 1, Outcome.LOST),),
        ">SENDING >HELD REQUEST_SENT REQUEST_LOST SENDING>UNKNOWN",
    ),
    "withdrawn by the carrier": (
        (
            *BEGUN,
            event(3, D, "SENDING", "PROCESSING", "reply/a"),
            event(4, C, "NONE", "ASKED"),
            event(5, C, "ASKED", "SENT"),
            event(6, C, "SENT", "DONE", "cancel/c"),
            event(7, D, "PROCESSING", "CANCELLED", "cancel/c"),
            event(8, Column.MONEY, "HELD", "RELEASED", "cancel/c"),
        ),
        (
            proof("reply/a", EvidenceKind.REPLY, Verdict.RECEIVED, "a"),
            proof("cancel/c", EvidenceKind.CANCEL, Verdict.CANCELLED, "c"),
        ),
        (
            attempt("a", 1, Outcome.ANSWERED),
            attempt("c", 1, Outcome.ANSWERED, AttemptKind.CANCEL),
        ),
        ">SENDING >HELD REQUEST_SENT REQUEST_ANSWERED RECEIVED SENDING>PROCESSING NONE>ASKED "
        "ASKED>SENT CANCELLATION_SENT CANCELLATION_ANSWERED CANCELLED SENT>DONE "
        "PROCESSING>CANCELLED HELD>RELEASED",
    ),
    "a cancellation that the carrier had no time for": (
        (
            *BEGUN,
            event(3, C, "NONE", "ASKED"),
            event(4, C, "ASKED", "SENT"),
            event(5, C, "SENT", "ASKED"),
        ),
        (proof("cancel/c", EvidenceKind.CANCEL, Verdict.BUSY, "c"),),
        (attempt("c", 1, Outcome.BUSY, AttemptKind.CANCEL),),
        ">SENDING >HELD NONE>ASKED ASKED>SENT CANCELLATION_SENT CANCELLATION_BUSY BUSY SENT>ASKED",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_rows_of_one_moment_have_one_order(case: Any) -> None:
    events, proofs, attempts, wanted = case
    for shuffled in itertools.islice(itertools.permutations(proofs), 6):
        rows = Rows(
            ic=replace(ROW, version=len(events)),
            events=list(enumerate(events, 1)),
            proofs={row.id: row for row in shuffled},
            attempts=attempts,
            transfers=(),
            scans=(),
            incidents=(),
            claims=(),
            cases=(),
        )
        assert [line(step.event) for step in ordered(rows)] == wanted.split()
