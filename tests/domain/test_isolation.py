"""What concerns one parcel, one account or one job concerns no other."""

import pytest

from gateway.domain.carrier import (
    Answer,
    Milestone,
    Operation,
    Reason,
    Reply,
    Scan,
    Trace,
    Verdict,
    read,
)
from gateway.domain.due import LeaseDue, lane
from gateway.domain.interception import (
    Exceptional,
    ExceptionKind,
    Job,
    JobKind,
    JobState,
)
from gateway.domain.lifecycle import CRASHES_MAX, follow
from gateway.domain.record import replace
from tests.domain.stage import Stage

M, V = Milestone, Verdict
MINUTE_MS = 60_000


def tracked(*scans: Scan) -> Operation[Trace]:
    answer = Answer(V.RECEIVED, scans=scans)
    return Operation(lambda _: pytest.fail("not asked"), lambda _: answer, repeatable=True)


def test_a_reading_that_tells_of_another_parcel_is_discarded() -> None:
    mine, other = Scan("SF1", M.IN_TRANSIT, "30", 1), Scan("SF2", M.SIGNED, "80", 2)
    assert read(tracked(mine), Reply(200, b""), ("SF1",)).verdict is V.RECEIVED
    told = read(tracked(mine, other), Reply(200, b""), ("SF1",))
    assert (told.verdict, told.reason) == (V.UNKNOWN, Reason.WRONG_WAYBILL)


def test_a_query_asked_before_the_carrier_had_ours_proves_nothing() -> None:
    """It may speak of an interception before ours: the answer is about the waybill."""
    stage = Stage("zto")
    stage.create()
    stage.reply(V.UNKNOWN)
    follow(stage.book, stage.ic, stage.now)
    stage.book.keep()
    (asked,) = [w for w in stage.lease(JobKind.FOLLOW) if w.subject == stage.key]
    stage.wait(MINUTE_MS)
    stage.lease(JobKind.SUBMIT)
    stage.reply(V.RECEIVED)
    assert stage.columns == "PROCESSING NONE HELD"
    stage.observed(asked, Answer(V.MISSED), ())
    assert stage.columns == "PROCESSING NONE HELD"
    stage.wait(MINUTE_MS)
    stage.look(V.ACCEPTED)
    assert stage.columns == "ACCEPTED NONE CAPTURED"


def test_one_return_is_laid_to_one_interception() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(V.UNKNOWN)
    first = stage.key
    stage.wait(MINUTE_MS)
    stage.lease(JobKind.SUBMIT)
    stage.reply(V.REFUSED, Reason.TOO_LATE)
    stage.wait(MINUTE_MS)
    stage.create_again()
    stage.reply(V.RECEIVED)
    stage.wait(MINUTE_MS)
    works = {work.subject: work for work in stage.lease(JobKind.FOLLOW)}
    turned = (stage.scan(M.RETURNING),)
    second = stage.key
    stage.observed(works[second], Answer(V.ACCEPTED), turned)
    assert stage.columns == "ACCEPTED RETURNING CAPTURED"
    stage.key = first
    stage.observed(works[first], None, turned)
    assert stage.columns == "REFUSED NONE RELEASED"


def test_a_full_account_keeps_its_sends_and_not_its_readings() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    full = {lane(JobKind.SUBMIT, "sf", "main"): 0}
    assert stage.do(LeaseDue(tuple(JobKind), 10, full)) == []
    one = {lane(JobKind.SUBMIT, "sf", "main"): 1}
    assert len(stage.do(LeaseDue(tuple(JobKind), 10, one))) == 1


def test_what_cannot_be_sent_in_time_ends_though_its_account_is_full() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    stage.wait(31 * MINUTE_MS)
    stage.recover()
    assert stage.columns == "NEVER_SENT NONE RELEASED"


def test_a_job_that_breaks_is_counted_alone_and_given_up_in_the_end() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    good = stage.key
    bad = Job("submit/gone", "gone", JobKind.SUBMIT, "sf", "main", JobState.WAIT, 0, "", 0, 0, 0, 0)
    stage.book.put(bad)
    stage.book.keep()
    (work,) = stage.do(LeaseDue((JobKind.SUBMIT,), 10, {}))
    assert work.subject == good
    for _ in range(CRASHES_MAX):
        stage.book.put(replace(stage.book.need(Job, bad.id), due_at=0))
        stage.book.keep()
        stage.do(LeaseDue((JobKind.SUBMIT,), 10, {}))
    assert stage.book.need(Job, bad.id).state is JobState.DEAD
    assert stage.book.get(Exceptional, f"{ExceptionKind.GIVEN_UP}/gone") is not None
