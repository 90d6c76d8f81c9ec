"""What is personal goes N days after the last business of a parcel; what money rests on stays."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.domain.carrier import ClaimKind, Milestone, Reason, Tier, Verdict
from gateway.domain.claim import Claim, Filed, Proof
from gateway.domain.fees import Policy
from gateway.domain.interception import Exceptional, ExceptionKind, Inbox, InboxStatus
from gateway.domain.lifecycle import close_exception
from gateway.domain.parcel import EPOCH_GAP_MS, OrderLine, Parcel, Person
from gateway.domain.quote import Quoted
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal, Refusals, Why
from gateway.domain.retention import ERASED, Purged, PurgePersonal
from tests.domain.stage import DAY_MS, HOUR_MS, MINUTE_MS, PEOPLE, SHIRT, Stage, terms_of

DAYS = 30
M, V = Milestone, Verdict


def stage_of(channel: str = "sf", days: int = DAYS) -> Stage:
    return Stage(channel, terms_of(Policy(retention_ms=days * DAY_MS)))


def purge(stage: Stage) -> Purged:
    done: Purged = stage.do(
        PurgePersonal(
            tuple(p.id for p in stage.book.all(Parcel)), tuple(i.id for i in stage.book.all(Inbox))
        )
    )
    stage.audit()
    return done


def parcel(stage: Stage) -> Parcel:
    (only,) = stage.book.all(Parcel)
    return only


def texts(stage: Stage) -> set[str]:
    """Every text of the parcel's rows that could name or place somebody."""
    found = {getattr(p, name) for p in stage.book.all(Person) for name in CONTENTS}
    found |= {line.title for line in stage.book.all(OrderLine)}
    found |= {scan.place for scan in stage.scan_rows()}
    found |= {claim.description for claim in stage.book.all(Claim)}
    return found | {part for proof in stage.book.all(Proof) for part in (proof.uri, proof.text)}


CONTENTS = ("name", "phone", "province", "city", "district", "street")


def refused(stage: Stage) -> None:
    stage.create()
    stage.reply(V.REFUSED, Reason.TOO_LATE)


def returned(stage: Stage) -> None:
    stage.accepted()
    stage.look(None, replace(stage.scan(M.RETURNING), place="深圳"), stage.scan(M.RETURN_SIGNED))


# -- when ------------------------------------------------------------------------------------


def test_to_the_millisecond() -> None:
    stage = stage_of()
    refused(stage)
    stage.wait(DAYS * DAY_MS - 1)
    assert not purge(stage)
    assert parcel(stage).purged_at == 0
    stage.wait(1)
    assert purge(stage) == Purged(1, 0)
    assert parcel(stage).purged_at == stage.now
    assert texts(stage) == {""}
    assert purge(stage) == Purged(0, 0), "once"


def test_a_parcel_that_was_only_registered_goes_too() -> None:
    stage = stage_of()
    stage.register()
    stage.wait(DAYS * DAY_MS)
    assert purge(stage)


def withdrawn_claim(stage: Stage) -> None:
    returned(stage)
    stage.look(None, stage.scan(M.DAMAGED))
    filed: Filed = stage.claim(ClaimKind.DAMAGED, 100)
    stage.book.put(replace(filed.claim, description="张三 says it broke"))
    stage.book.keep()


OPEN: dict[str, Callable[[Stage], Any]] = {
    "queued": lambda stage: stage.create(slot=False),
    "sending": lambda stage: stage.create(),
    "unknown": lambda stage: (stage.create(), stage.reply(V.UNKNOWN, Reason.NO_ANSWER)),
    "accepted": lambda stage: stage.accepted(),
    "returning": lambda stage: (stage.accepted(), stage.look(None, stage.scan(M.RETURNING))),
    "an open claim": withdrawn_claim,
}


@pytest.mark.parametrize("name", OPEN)
def test_nothing_goes_while_anything_is_open(name: str) -> None:
    stage = stage_of()
    OPEN[name](stage)
    before = texts(stage)
    stage.wait(100 * DAYS * DAY_MS)
    assert not purge(stage)
    assert texts(stage) == before


def test_what_nobody_has_looked_at_waits_as_long_as_everything_else() -> None:
    """A person may never come, and what is personal does not stay for that."""
    stage = stage_of()
    stage.accepted()
    stage.wait(HOUR_MS)
    stage.look(None, stage.scan(M.SIGNED))
    (opened,) = (row for row in stage.book.all(Exceptional) if row.closed_at is None)
    stage.wait(opened.opened_at + DAYS * DAY_MS - stage.now - 1)
    assert not purge(stage)
    stage.wait(1)
    assert purge(stage).parcels == 1
    assert texts(stage) == {""}
    assert stage.book.need(Exceptional, opened.id).closed_at is None, "it is still to be looked at"


def test_the_days_begin_again_with_whatever_happens() -> None:
    stage = stage_of()
    stage.accepted()
    stage.look(None, stage.scan(M.SIGNED))
    stage.wait(DAYS * DAY_MS)
    close_exception(stage.book, ExceptionKind.PROMISE_BROKEN, stage.key, stage.env)
    stage.book.keep()
    assert not purge(stage), "a person has just looked"
    stage.wait(DAYS * DAY_MS - HOUR_MS)
    stage.push(Tier.T2, stage.scan(M.OTHER))
    stage.wait(DAYS * DAY_MS - HOUR_MS)
    assert not purge(stage), "a scan has come since"
    stage.wait(HOUR_MS)
    assert purge(stage).parcels == 1


def test_a_lost_parcel_is_not_waited_for_and_its_return_is_still_told() -> None:
    stage = stage_of()
    stage.accepted()
    stage.look(None, replace(stage.scan(M.LOST), place="深圳"))
    stage.wait(DAYS * DAY_MS)
    assert purge(stage).parcels == 1
    assert stage.push(Tier.T1, replace(stage.scan(M.FOUND), place="广州")) is InboxStatus.APPLIED
    found = (stage.scan(M.RETURNING), stage.scan(M.RETURN_SIGNED))
    stage.look(None, *(replace(scan, place="杭州市", signer="张三") for scan in found))
    assert stage.columns == "ACCEPTED RETURNED CAPTURED"
    assert texts(stage) == {""}, "and nobody's place is kept again"


@pytest.mark.parametrize("looked_at", [True, False])
def test_pushes_go_by_their_own_age_and_those_nobody_has_read_wait(looked_at: bool) -> None:
    stage = stage_of()
    refused(stage)
    stage.push(Tier.T1, stage.scan(M.OTHER))
    for number, status in enumerate((InboxStatus.NEW, InboxStatus.QUARANTINED)):
        (first, *_) = stage.book.all(Inbox)
        row = replace(first, id=f"sf/main/{number}", applied_at=None, status=status)
        stage.book.put(row)
    for row in stage.book.all(Inbox):
        stage.book.put(replace(row, body=b"13800001234", received_at=stage.now))
    kind, opened = ExceptionKind.QUARANTINED, stage.now + HOUR_MS
    stage.book.put(
        Exceptional(f"{kind}/sf/main/1", "sf/main/1", "", kind, "", opened, None, "", "")
    )
    stage.book.keep()
    stage.wait(DAYS * DAY_MS)
    assert purge(stage) == Purged(1, 1)
    assert [bool(row.body) for row in stage.book.all(Inbox)] == [False, True, True]
    if looked_at:
        close_exception(stage.book, kind, "sf/main/1", stage.env)
        stage.book.keep()
    else:
        stage.wait(HOUR_MS)
    assert purge(stage) == Purged(0, 1)


# -- what stays ------------------------------------------------------------------------------


def test_money_and_log_are_untouched() -> None:
    stage = stage_of()
    withdrawn_claim(stage)
    (claim,) = stage.book.all(Claim)
    stage.book.put(Proof("p/1", claim.id, "photo", "https://shop/1.jpg", "", "f" * 64, stage.now))
    stage.book.put(Proof("p/2", claim.id, "letter", "", "李四 wrote", "e" * 64, stage.now))
    stage.book.keep()
    stage.award(claim, 100)
    before = (stage.available, stage.net, stage.columns, stage.ic.version)
    stage.wait(DAYS * DAY_MS)
    assert purge(stage).parcels == 1
    assert before == (stage.available, stage.net, stage.columns, stage.ic.version)
    proofs = stage.book.all(Proof)
    assert [(p.uri, p.text, p.sha256) for p in proofs] == [
        (ERASED, "", "f" * 64),
        (ERASED, "", "e" * 64),
    ]
    assert texts(stage) == {"", ERASED}
    assert stage.book.all(OrderLine)[0].value_minor == SHIRT.value_minor


# -- afterwards ------------------------------------------------------------------------------


def erased(days: int = DAYS) -> Stage:
    stage = stage_of(days=days)
    refused(stage)
    stage.wait(days * DAY_MS)
    assert purge(stage)
    return stage


def test_what_is_erased_is_quoted_only_after_it_is_registered_again() -> None:
    stage = erased()
    refusal = stage.do(stage.quoting())
    assert isinstance(refusal, Refusals)
    assert refusal.unmet[0].why is Why.WAYBILL_NOT_YOURS
    again = stage.register()
    assert again.id == parcel(stage).id
    assert (again.purged_at, again.registered_at) == (0, stage.now)
    assert {p.name for p in stage.book.all(Person)} == {p.name for p in PEOPLE}
    assert stage.book.all(OrderLine)[0].title == SHIRT.title
    stage.wait(DAYS * DAY_MS - 1)
    assert not purge(stage), "for as long again"
    assert isinstance(stage.quote(), Quoted)


def test_registered_again_with_other_contents_it_is_another_box() -> None:
    stage = erased()
    other = replace(stage.registering(), lines=(replace(SHIRT, paid_minor=1),))
    refusal = stage.do(other)
    assert isinstance(refusal, Refusal)
    assert refusal.why is Why.WAYBILL_REGISTERED
    assert texts(stage) == {""}


def test_a_number_that_is_used_again_is_another_parcel() -> None:
    stage = erased()
    stage.wait(EPOCH_GAP_MS)
    fresh = stage.register()
    assert fresh.epoch == 2
    old = next(p for p in stage.book.all(Parcel) if p.epoch == 1)
    assert old.purged_at
    assert {p.name for p in stage.book.of(Person, old.id)} == {""}


def test_a_quote_made_just_before_is_not_used() -> None:
    stage = stage_of()
    stage.register()
    quote = stage.quote().quote
    assert quote is not None
    stage.book.put(replace(parcel(stage), purged_at=stage.now))
    stage.book.keep()
    stage.wait(MINUTE_MS)
    refusal = stage.do(stage.creating(quote.id))
    assert isinstance(refusal, Refusals)
    assert [one.why for one in refusal.unmet] == [Why.QUOTE_EXPIRED]


def test_no_claim_is_filed_any_more() -> None:
    stage = stage_of(days=10)
    returned(stage)
    stage.look(None, stage.scan(M.DAMAGED))
    stage.wait(10 * DAY_MS)
    assert purge(stage)
    refusal = stage.claim(ClaimKind.DAMAGED, 100)
    assert isinstance(refusal, Refusal)
    assert refusal.why is Why.CLAIM_WINDOW_CLOSED


def test_a_late_acceptance_is_still_seen() -> None:
    stage = erased()
    assert stage.push(Tier.T1, stage.scan(M.RETURNING)) is InboxStatus.APPLIED
    stage.look(None, stage.scan(M.RETURNING))
    assert stage.columns == "LATE_ACCEPTED RETURNING RELEASED"
    assert "LATE_ACCEPTANCE" in stage.exceptions()
