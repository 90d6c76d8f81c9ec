"""Attempts, leases and who brings the evidence: sending again, crashing, coming back too late."""

import pytest

from gateway.domain.carrier import (
    Answer,
    Cause,
    Milestone,
    Promise,
    Reason,
    Scan,
    Status,
    Tier,
    Verdict,
)
from gateway.domain.due import Fumble
from gateway.domain.interception import (
    Cancel,
    Decision,
    Evidence,
    EvidenceKind,
    Interception,
    JobKind,
    JobState,
    Outcome,
)
from gateway.domain.lifecycle import CRASHES_MAX, SEND_DELAYS_MS
from gateway.domain.reading import LOOKS_MAX, UNREAD_LOOKS
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal, Why
from gateway.domain.reply import CANCEL_ATTEMPTS_MAX
from tests.domain.stage import HOUR_MS, MINUTE_MS, START_MS, Stage, terms_of

# -- when to send again ----------------------------------------------------------------------


def test_a_busy_carrier_is_asked_again_after_the_delay_of_the_attempt() -> None:
    stage = Stage("sf")
    stage.create()
    for wait_ms in SEND_DELAYS_MS[:6]:
        stage.reply(Verdict.BUSY, Reason.RATE_LIMITED)
        assert stage.job(JobKind.SUBMIT).due_at == stage.now + wait_ms
        stage.wait(wait_ms - 1)
        assert not stage.lease(JobKind.SUBMIT)
        stage.wait(1)
        assert stage.lease(JobKind.SUBMIT)
    outcomes = [attempt.outcome for attempt in stage.posts()]
    assert outcomes == [Outcome.BUSY] * 6 + [None]


def test_the_same_key_is_sent_again_and_another_carrier_is_never_sent_twice() -> None:
    for channel, posts in (("zto", 2), ("sf", 1), ("mute", 1)):
        stage = Stage(channel)
        stage.create()
        first = stage.work
        stage.reply(Verdict.UNKNOWN, Reason.NO_ANSWER)
        stage.wait(MINUTE_MS)
        stage.lease(JobKind.SUBMIT)
        assert len(stage.posts()) == posts
        assert first is not None
        assert first.order is not None
        assert stage.work is not None
        assert stage.work.order is not None
        assert stage.work.order.key == first.order.key == stage.key


def test_what_was_not_sent_leaves_the_attempt_as_proof() -> None:
    stage = Stage("sf")
    stage.create()
    stage.finish(Answer(Verdict.UNKNOWN, Reason.NOT_SENT))
    assert [attempt.outcome for attempt in stage.posts()] == [Outcome.NOT_SENT]
    stage.wait(30 * MINUTE_MS)
    stage.lease(JobKind.SUBMIT)
    assert stage.columns == "NEVER_SENT NONE RELEASED"
    assert stage.available == 100_000


@pytest.mark.parametrize("reason", [Reason.NOT_SENT, Reason.CARRIER_SYSTEM])
def test_a_return_is_not_ours_when_nothing_of_ours_ever_left(reason: Reason) -> None:
    stage = Stage("zto")
    stage.create()
    stage.finish(Answer(Verdict.BUSY, reason))
    stage.wait(30 * MINUTE_MS)
    stage.lease(JobKind.SUBMIT)
    stage.wait(HOUR_MS)
    stage.look(Verdict.ABSENT, stage.scan(Milestone.RETURNING, stage.now - MINUTE_MS))
    assert stage.columns == "NEVER_SENT NONE RELEASED"


def test_a_withdrawn_interception_is_not_sent_again_when_the_carrier_never_had_it() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.UNKNOWN, Reason.NO_ANSWER)
    stage.withdraw()
    stage.wait(20 * MINUTE_MS)
    stage.look(Verdict.ABSENT)
    assert stage.columns == "CANCELLED NONE RELEASED"
    assert not stage.lease(JobKind.SUBMIT)


def test_a_withdrawal_ends_with_the_decision() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.RECEIVED)
    stage.withdraw()
    stage.look(Verdict.RECEIVED, stage.scan(Milestone.SIGNED))
    assert stage.columns == "REFUSED NONE RELEASED"
    assert stage.ic.cancel is Cancel.DENIED
    assert not stage.lease(JobKind.WITHDRAW)


# -- who brings the evidence -----------------------------------------------------------------


def test_a_stale_holder_writes_nothing_to_the_job_and_its_reply_still_counts() -> None:
    stage = Stage("zto")
    stage.create()
    first = stage.work
    stage.crash()
    (second,) = stage.lease(JobKind.SUBMIT)
    assert first is not None
    assert second.gen == first.gen + 1
    before = stage.job(JobKind.SUBMIT)
    stage.finish(Answer(Verdict.RECEIVED, reference="center-1"), first)
    assert stage.job(JobKind.SUBMIT) == before
    assert stage.columns == "PROCESSING NONE HELD"
    assert [a.outcome for a in stage.posts()] == [Outcome.LOST, None]
    stage.finish(Answer(Verdict.DUPLICATE), second)
    assert stage.job(JobKind.SUBMIT).state is JobState.DONE
    assert stage.columns == "PROCESSING NONE HELD"
    stage.audit()


def test_a_reply_told_twice_is_applied_once() -> None:
    stage = Stage("sf")
    stage.create()
    stage.reply(Verdict.ACCEPTED)
    version = stage.ic.version
    stage.reply(Verdict.REFUSED, Reason.TOO_LATE)
    assert stage.ic.version == version
    replies = [e for e in stage.book.of(Evidence, stage.key) if e.kind is EvidenceKind.REPLY]
    assert len(replies) == 1


def test_a_reply_that_comes_late_is_evidence_whoever_brings_it() -> None:
    stage = Stage("sf")
    stage.create()
    stage.crash()
    stage.lease(JobKind.SUBMIT)
    stage.look(None, stage.scan(Milestone.SIGNED))
    assert stage.columns == "REFUSED NONE RELEASED"
    stage.reply(Verdict.ACCEPTED)
    assert stage.ic.decision is Decision.LATE_ACCEPTED
    assert stage.ic.money.value == "RELEASED"
    assert "LATE_ACCEPTANCE" in stage.exceptions()
    stage.audit()


def test_a_late_acceptance_is_not_laid_to_one_that_was_refused_because_of_it() -> None:
    stage = Stage("zto")
    first = stage.create().id
    stage.reply(Verdict.REFUSED, Reason.TOO_LATE)
    second = stage.create_again().id
    stage.reply(Verdict.REFUSED, Reason.ALREADY_INTERCEPTED)
    stage.wait(HOUR_MS)
    stage.push(Tier.T1, stage.scan(Milestone.RETURNING, cause=Cause.INTERCEPTION))
    (work,) = stage.lease(JobKind.FOLLOW)
    assert work.subject == first
    stage.observed(work, None, (stage.scan(Milestone.RETURNING, cause=Cause.INTERCEPTION),))
    decisions = {key: stage.book.need(Interception, key).decision for key in (first, second)}
    assert decisions == {first: Decision.LATE_ACCEPTED, second: Decision.REFUSED}


def test_a_late_acceptance_is_heard_of_while_a_newer_one_waits_to_be_sent() -> None:
    stage = Stage("zto")
    first = stage.create().id
    stage.reply(Verdict.REFUSED, Reason.TOO_LATE)
    second = stage.create_again().id
    stage.reply(Verdict.BUSY, Reason.NOT_SENT)
    stage.wait(MINUTE_MS)
    back = stage.scan(Milestone.RETURNING, cause=Cause.INTERCEPTION)
    stage.push(Tier.T1, back)
    (work,) = stage.lease(JobKind.FOLLOW)
    assert work.subject == first
    stage.observed(work, None, (back,))
    decisions = {key: stage.book.need(Interception, key).decision for key in (first, second)}
    assert decisions == {first: Decision.LATE_ACCEPTED, second: Decision.QUEUED}
    assert "LATE_ACCEPTANCE" in stage.exceptions()
    stage.audit()


def test_an_old_cancel_without_an_answer_does_not_hide_the_answer_of_a_new_one() -> None:
    stage = Stage("zto")
    stage.accepted()
    stage.withdraw()
    (first,) = stage.lease(JobKind.WITHDRAW)
    stage.crash()
    (second,) = stage.lease(JobKind.WITHDRAW)
    assert stage.finish(Answer(Verdict.UNKNOWN, Reason.NO_ANSWER), first).cancel is Cancel.SENT
    assert stage.finish(Answer(Verdict.CANCELLED), second).cancel is Cancel.DONE
    assert stage.columns == "CANCELLED NONE REFUNDED"
    stage.audit()


def test_an_old_cancel_that_is_acknowledged_counts_while_a_new_one_waits() -> None:
    stage = Stage("zto")
    stage.accepted()
    stage.withdraw()
    (first,) = stage.lease(JobKind.WITHDRAW)
    stage.crash()
    (second,) = stage.lease(JobKind.WITHDRAW)
    stage.finish(Answer(Verdict.BUSY, Reason.RATE_LIMITED), second)
    assert stage.ic.cancel is Cancel.ASKED
    stage.finish(Answer(Verdict.CANCELLED), first)
    assert stage.columns == "CANCELLED NONE REFUNDED"
    stage.audit()


def test_a_no_after_a_yes_is_for_a_person() -> None:
    stage = Stage("zto", terms_of(promise_on=Promise.REPLY))
    stage.create()
    first = stage.work
    stage.crash()
    (second,) = stage.lease(JobKind.SUBMIT)
    stage.finish(Answer(Verdict.ACCEPTED), second)
    stage.finish(Answer(Verdict.REFUSED, Reason.TOO_LATE), first)
    assert stage.columns == "ACCEPTED NONE CAPTURED"
    assert stage.exceptions() == {"CONTRADICTION"}


def test_a_no_that_waited_while_the_return_was_seen_is_for_a_person() -> None:
    stage = Stage("sf")
    stage.create()
    stage.crash()
    stage.recover()
    stage.look(None, stage.scan(Milestone.RETURNING))
    assert stage.columns == "ACCEPTED RETURNING CAPTURED"
    stage.reply(Verdict.REFUSED, Reason.TOO_LATE)
    assert stage.columns == "ACCEPTED RETURNING CAPTURED"
    assert stage.exceptions() == {"CONTRADICTION"}
    stage.audit()


def test_a_yes_that_comes_after_absent_is_not_lost_and_not_sent_again() -> None:
    stage = Stage("zto", terms_of(promise_on=Promise.REPLY))
    stage.create()
    stage.crash()
    stage.recover()
    stage.wait(20 * MINUTE_MS)
    stage.look(Verdict.ABSENT)
    assert stage.columns == "QUEUED NONE HELD"
    stage.finish(Answer(Verdict.ACCEPTED, reference="center-1"))
    assert stage.ic.decision is Decision.ACCEPTED
    stage.audit()


def test_the_silence_of_an_old_attempt_says_nothing_of_the_one_under_way() -> None:
    stage = Stage("zto")
    stage.create()
    first = stage.work
    stage.crash()
    stage.recover()
    stage.wait(20 * MINUTE_MS)
    stage.look(Verdict.ABSENT)
    assert stage.columns == "QUEUED NONE HELD"
    (second,) = stage.lease(JobKind.SUBMIT)
    assert stage.columns == "SENDING NONE HELD"
    stage.finish(Answer(Verdict.UNKNOWN, Reason.NOT_SENT), first)
    assert stage.columns == "SENDING NONE HELD"
    stage.finish(Answer(Verdict.RECEIVED), second)
    assert stage.ic.decision is Decision.PROCESSING
    stage.audit()


def test_a_no_to_an_old_attempt_is_not_believed_while_another_is_on_its_way() -> None:
    """Whoever is refused may ask anew for the parcel, and two would be under way at once."""
    stage = Stage("zto")
    stage.create()
    first = stage.work
    stage.crash()
    (second,) = stage.lease(JobKind.SUBMIT)
    before = stage.columns
    stage.finish(Answer(Verdict.REFUSED, Reason.TOO_LATE), first)
    assert stage.columns == before
    assert stage.columns.endswith("HELD")
    stage.finish(Answer(Verdict.REFUSED, Reason.TOO_LATE), second)
    assert stage.columns == "REFUSED NONE RELEASED"
    stage.audit()


def test_a_stale_holder_does_not_end_a_withdrawal_that_waits_for_the_one_under_way() -> None:
    stage = Stage("zto")
    stage.create()
    first = stage.work
    stage.crash()
    stage.recover()
    stage.wait(20 * MINUTE_MS)
    stage.look(Verdict.ABSENT)
    (second,) = stage.lease(JobKind.SUBMIT)
    stage.withdraw()
    stage.finish(Answer(Verdict.UNKNOWN, Reason.NOT_SENT), first)
    assert stage.columns == "SENDING NONE HELD"
    assert stage.ic.cancel is Cancel.ASKED
    stage.finish(Answer(Verdict.RECEIVED), second)
    (cancel,) = stage.lease(JobKind.WITHDRAW)
    stage.finish(Answer(Verdict.CANCELLED), cancel)
    assert stage.columns == "CANCELLED NONE RELEASED"
    stage.audit()


def test_nothing_found_before_the_bound_proves_nothing_after_it() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.UNKNOWN, Reason.NO_ANSWER)
    stage.wait(19 * MINUTE_MS)
    (work,) = stage.lease(JobKind.FOLLOW)  # asked now, and its holder then stands still
    stage.crash()
    stage.wait(12 * MINUTE_MS)
    stage.lease(JobKind.FOLLOW)  # taken over by another
    stage.observed(work, Answer(Verdict.ABSENT), ())
    assert stage.columns == "UNKNOWN NONE HELD"


def test_the_bound_is_counted_in_machine_time() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.UNKNOWN, Reason.NO_ANSWER)
    stage.wait(25 * MINUTE_MS)
    stage.machine_ms -= 25 * MINUTE_MS  # the clock of the business was moved on, no more
    stage.look(Verdict.ABSENT)
    assert stage.columns == "UNKNOWN NONE HELD"
    stage.machine_ms += 25 * MINUTE_MS
    stage.look(Verdict.ABSENT)
    assert stage.columns == "QUEUED NONE HELD"


# -- a push that the carrier does not bear out -----------------------------------------------


def unanswered(stage: Stage, looks: int) -> None:
    """So many readings, each when it is due, to which the carrier says nothing."""
    for _ in range(looks):
        stage.now = max(stage.now, stage.job(JobKind.FOLLOW).due_at)
        (work,) = stage.lease(JobKind.FOLLOW)
        stage.observe(work, None, Answer(Verdict.UNKNOWN, Reason.NO_ANSWER))


def refused_and_returning() -> tuple[Stage, Scan]:
    """Refused, and its return is pushed all the same."""
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.REFUSED, Reason.TOO_LATE)
    stage.wait(HOUR_MS)
    back = stage.scan(Milestone.RETURNING, cause=Cause.INTERCEPTION)
    stage.push(Tier.T1, back)
    return stage, back


def test_a_late_acceptance_is_not_let_go_while_the_carrier_is_silent() -> None:
    stage, back = refused_and_returning()
    unanswered(stage, UNREAD_LOOKS - 1)
    assert not stage.exceptions()
    unanswered(stage, 1)
    assert (stage.columns, stage.exceptions()) == ("REFUSED NONE RELEASED", {"NO_EVIDENCE"})
    unanswered(stage, UNREAD_LOOKS)
    stage.look(None, back)
    assert stage.columns == "LATE_ACCEPTED RETURNING RELEASED"
    assert stage.exceptions() == {"LATE_ACCEPTANCE"}
    stage.audit()


def test_looks_that_pushes_ask_for_do_not_end_the_asking() -> None:
    """A parcel is scanned some ten times on its way back, and the carrier may be down that long."""
    stage, back = refused_and_returning()
    for _ in range(2 * UNREAD_LOOKS):
        stage.wait(1_000)
        stage.push(Tier.T1, stage.scan(Milestone.IN_TRANSIT))
        unanswered(stage, 1)
    assert stage.job(JobKind.FOLLOW).state is JobState.WAIT
    stage.look(None, back)
    assert stage.columns == "LATE_ACCEPTED RETURNING RELEASED"


def test_there_is_an_end_of_asking_and_a_person_knows_of_it() -> None:
    stage, back = refused_and_returning()
    began = stage.now
    unanswered(stage, LOOKS_MAX)
    assert stage.job(JobKind.FOLLOW).state is JobState.DONE
    assert stage.now - began > 25 * 24 * HOUR_MS
    assert stage.exceptions() == {"NO_EVIDENCE"}
    stage.push(Tier.T1, stage.scan(Milestone.RETURN_SIGNED))  # whatever comes is asked about anew
    (work,) = stage.lease(JobKind.FOLLOW)
    stage.observed(work, None, (back,))
    assert stage.columns == "LATE_ACCEPTED RETURNED RELEASED"
    assert stage.exceptions() == {"LATE_ACCEPTANCE"}


# -- our own code fails ----------------------------------------------------------------------


def test_a_job_that_fails_five_times_is_given_to_a_person() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.RECEIVED)
    stage.wait(MINUTE_MS)
    for attempt in range(1, CRASHES_MAX + 1):
        (work,) = stage.lease(JobKind.FOLLOW)
        stage.do(Fumble(work.job, work.gen, "KeyError"))
        dead = attempt == CRASHES_MAX
        assert (stage.job(JobKind.FOLLOW).state is JobState.DEAD) == dead
        stage.crash()
    assert stage.exceptions() == {"GIVEN_UP"}
    assert not stage.lease(JobKind.FOLLOW)
    stage.audit()


def test_a_stale_holder_cannot_fumble() -> None:
    stage = Stage("zto")
    stage.create()
    first = stage.work
    stage.crash()
    stage.lease(JobKind.SUBMIT)
    assert first is not None
    assert stage.do(Fumble(first.job, first.gen, "KeyError")) is None


def test_only_failures_in_a_row_are_counted() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.RECEIVED)
    for _ in range(3 * CRASHES_MAX):
        stage.wait(HOUR_MS * 7)
        stage.lease(JobKind.FOLLOW)
        stage.crash()
        (work,) = stage.lease(JobKind.FOLLOW)
        assert stage.job(JobKind.FOLLOW).crashes == 1
        stage.observed(work, Answer(Verdict.RECEIVED), ())
        assert stage.job(JobKind.FOLLOW).crashes == 0


# -- small things ----------------------------------------------------------------------------


def test_a_push_before_the_reply_waits_for_it() -> None:
    stage = Stage("zto")
    stage.create()
    stage.push(Tier.T1, stage.scan(Milestone.SIGNED))
    (work,) = stage.lease(JobKind.FOLLOW)
    stage.observed(work, Answer(Verdict.RECEIVED), (stage.scan(Milestone.SIGNED),))
    assert stage.columns == "SENDING NONE HELD"
    stage.reply(Verdict.RECEIVED)
    stage.wait(MINUTE_MS)
    (work,) = stage.lease(JobKind.FOLLOW)
    stage.observed(work, Answer(Verdict.RECEIVED), (stage.scan(Milestone.SIGNED, START_MS),))
    assert stage.columns == "REFUSED NONE RELEASED"
    assert stage.ic.reason == "DELIVERED"


def test_withdrawing_twice_with_one_key_is_one_withdrawal() -> None:
    stage = Stage("sf")
    stage.create(slot=False)
    first = stage.withdraw()
    stage.number -= 1
    again = stage.withdraw()
    assert (first.replayed, again.replayed) == (False, True)
    assert again.interception == first.interception


def test_a_no_without_a_reason_is_called_by_its_verdict() -> None:
    for verdict in (Verdict.MISSED, Verdict.REFUSED):
        stage = Stage("sf")
        stage.create()
        stage.reply(verdict)
        assert stage.ic.reason == verdict.upper()
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.RECEIVED)
    assert stage.look(Verdict.MISSED).reason == "MISSED"


def test_a_withdrawal_of_what_the_carrier_does_not_know_has_an_end() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.withdraw()
    tries = 0
    while works := stage.lease(JobKind.WITHDRAW):
        stage.finish(Answer(Verdict.ABSENT), works[0])
        stage.wait(5 * MINUTE_MS)
        tries += 1
        assert tries <= CANCEL_ATTEMPTS_MAX
    assert stage.ic.cancel is Cancel.DENIED
    assert stage.columns == "ACCEPTED NONE CAPTURED"


def test_a_free_interception_has_no_money_to_move() -> None:
    free = replace(Stage().terms.contracts["sf"], fees=dict.fromkeys(FREE, 0))
    terms = terms_of()
    stage = Stage("sf", replace(terms, contracts={**terms.contracts, "sf": free}))
    stage.accepted()
    stage.look(None, stage.scan(Milestone.SIGNED))
    assert stage.columns == "ACCEPTED RETURN_FAILED NONE"
    assert stage.available == 100_000
    stage.audit()


FREE = frozenset(Status)


def test_what_is_unknown_to_us_is_refused() -> None:
    stage = Stage("sf")
    stage.key = "nobody's"
    assert stage.withdraw() == Refusal(Why.INTERCEPTION_UNKNOWN)


def busy(stage: Stage, rounds: int) -> int:
    """How often a cancel is sent while the carrier never answers it, an hour at a time."""
    for sent in range(1, rounds + 1):
        stage.wait(HOUR_MS)
        works = stage.lease(JobKind.WITHDRAW)
        if not works:
            return sent - 1
        stage.finish(Answer(Verdict.BUSY, Reason.BAD_CREDENTIALS), works[0])
    return rounds


@pytest.mark.parametrize("sent", [True, False])
def test_a_withdrawal_ends_with_the_way_of_its_parcel(sent: bool) -> None:
    """Whatever the carrier may still say of it: the parcel is back, and the fee was for that."""
    stage = Stage("sf")
    stage.accepted()
    stage.withdraw()
    if sent:
        (work,) = stage.lease(JobKind.WITHDRAW)
    back = (stage.scan(Milestone.RETURNING), stage.scan(Milestone.RETURN_SIGNED))
    stage.look(None, *back)
    assert stage.ic.cancel is Cancel.DENIED
    assert stage.columns == "ACCEPTED RETURNED CAPTURED"
    if sent:
        version = stage.finish(Answer(Verdict.CANCELLED), work).version
        assert (stage.ic.cancel, stage.ic.version) == (Cancel.DENIED, version)
    assert busy(stage, 10) == 0
    stage.audit()


def test_a_withdrawal_that_is_not_answered_is_asked_for_ever_more_seldom() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.withdraw()
    first = CANCEL_ATTEMPTS_MAX + 1
    assert busy(stage, first) == first  # minutes apart, and then an hour
    assert busy(stage, 100) == 1
    assert HOUR_MS <= stage.job(JobKind.WITHDRAW).due_at - stage.now <= 6 * HOUR_MS
