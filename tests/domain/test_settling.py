"""How an undecided interception is settled: each line is one story, told in the trade's words.

A story is `carrier: step; step; ... -> DECISION MOVEMENT MONEY exceptions`. What the carrier says
is handed in as it would arrive; the auditor looks after every step.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

from gateway.domain.carrier import Answer, Cause, Milestone, Promise, Reason, Verdict
from gateway.domain.fees import OnCancel, UnlistedNo
from gateway.domain.interception import (
    Cancel,
    JobKind,
)
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal, Why
from tests.domain.stage import DAY_MS, HOUR_MS, MINUTE_MS, Stage, terms_of

UNITS = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


class Story:
    """One story, step by step; a step is a word and what it says."""

    def __init__(self, channel: str, **contract: Any) -> None:
        self.stage = Stage(channel, terms_of(**contract))

    def tell(self, steps: str) -> str:
        for step in filter(None, (part.strip() for part in steps.split(";"))):
            word, *words = step.split()
            STEPS[word](self.stage, *words)
            self.stage.audit()
        found = sorted(self.stage.exceptions())
        return " ".join([self.stage.columns, *found])


def wait(stage: Stage, how_long: str) -> None:
    stage.wait(int(how_long[:-1]) * UNITS[how_long[-1]])


def reply(stage: Stage, verdict: str, reason: str = "none") -> None:
    stage.reply(Verdict(verdict), Reason(reason))


def look(stage: Stage, asked: str, *scans: str) -> None:
    verdict = None if asked == "-" else Verdict(asked)
    found = []
    for number, text in enumerate(scans):
        told, _, ago = text.partition("@")  # how long before this look
        milestone, _, cause = told.partition("/")
        at = stage.now - 1_000 * (len(scans) - number)
        if ago:
            at = stage.now - int(ago[:-1]) * UNITS[ago[-1]]
        found.append(stage.scan(Milestone(milestone), at, cause=Cause(cause or "unstated")))
    stage.look(verdict, *found)


def send(stage: Stage, how: str = "") -> None:
    """The request goes out again, or must not."""
    before = len(stage.posts())
    stage.lease(JobKind.SUBMIT)
    assert len(stage.posts()) - before == (how != "not"), f"send {how}"


def cancel(stage: Stage, verdict: str, reason: str = "none") -> None:
    (work,) = stage.lease(JobKind.WITHDRAW)
    stage.finish(Answer(Verdict(verdict), Reason(reason)), work)


def withdraw(stage: Stage, why: str = "") -> None:
    result = stage.withdraw()
    assert (result.why if isinstance(result, Refusal) else "") == why


def crash(stage: Stage) -> None:
    stage.crash()


def column(stage: Stage, *values: str) -> None:
    """What stands at this point of the story."""
    assert stage.columns.split()[: len(values)] == list(values)


def cancelling(stage: Stage, value: str) -> None:
    assert stage.ic.cancel == Cancel(value)


STEPS: dict[str, Callable[..., None]] = {
    "create": lambda stage: stage.create() and None,
    "queue": lambda stage: stage.create(slot=False) and None,
    "reply": reply,
    "look": look,
    "send": send,
    "wait": wait,
    "withdraw": withdraw,
    "cancel": cancel,
    "crash": crash,
    "is": column,
    "cancel-is": cancelling,
}

STORIES = """
# what a reply is worth
sf: create; reply accepted -> ACCEPTED NONE CAPTURED
sf: create; reply received -> PROCESSING NONE HELD
sf: create; reply refused too_late -> REFUSED NONE RELEASED
sf: create; reply missed -> REFUSED NONE RELEASED
sf: create; reply refused already_intercepted -> REFUSED NONE RELEASED
sf: create; reply duplicate -> REFUSED NONE RELEASED
zto: create; reply accepted -> PROCESSING NONE HELD
zto: create; reply received -> PROCESSING NONE HELD
zto: create; reply duplicate -> PROCESSING NONE HELD
zto: create; reply received; look accepted -> ACCEPTED NONE CAPTURED
zto: create; reply received; look received; is PROCESSING; look missed -> REFUSED NONE RELEASED
zto: create; reply received; look received returning/interception -> ACCEPTED RETURNING CAPTURED
zto: create; reply received; look cancelled -> REFUSED NONE RELEASED
mute: create; reply accepted -> PROCESSING NONE HELD
# a clear no that nobody listed: believed after one look
sf: create; reply refused unlisted; is UNKNOWN NONE HELD; look - -> REFUSED NONE RELEASED
sf: create; reply refused unlisted; look - returning -> ACCEPTED RETURNING CAPTURED
zto: create; reply refused unlisted; is UNKNOWN; look absent -> REFUSED NONE RELEASED
zto: create; reply refused unlisted; look received -> UNKNOWN NONE HELD
zto: create; reply refused unlisted; look unknown -> UNKNOWN NONE HELD
mute: create; reply refused unlisted -> REFUSED NONE RELEASED
# an answer that was lost
sf: create; reply unknown; is UNKNOWN NONE HELD; wait 1h; send not; look - -> UNKNOWN NONE HELD
sf: create; reply unknown; look - returning -> ACCEPTED RETURNING CAPTURED
sf: create; reply unknown; look - out_for_delivery signed -> REFUSED NONE RELEASED
sf: create; reply absent -> UNKNOWN NONE HELD
zto: create; reply unknown; wait 1s; send; reply received -> PROCESSING NONE HELD
zto: create; reply unknown; wait 1s; send; reply unknown; is UNKNOWN; wait 2s; send;
    reply duplicate -> PROCESSING NONE HELD
zto: create; reply unknown; wait 1s; send; reply refused too_late -> REFUSED NONE RELEASED
zto: create; reply unknown; wait 31m; send not; look received -> UNKNOWN NONE HELD
zto: create; reply unknown; look absent -> UNKNOWN NONE HELD
zto: create; reply unknown; wait 19m; look absent -> UNKNOWN NONE HELD
zto: create; reply unknown; wait 20m; look absent; is QUEUED NONE HELD; send; reply received
    -> PROCESSING NONE HELD
zto: create; reply unknown; wait 31m; look absent -> NEVER_SENT NONE RELEASED
zto: create; wait 31m; look absent -> SENDING NONE HELD
mute: create; reply unknown; wait 1h; send not -> UNKNOWN NONE HELD
# not executed: the same job later, until the send deadline
sf: create; reply busy rate_limited; is QUEUED; send not; wait 1s; send -> SENDING NONE HELD
sf: create; reply unknown not_sent; wait 1s; send; reply busy; wait 1s; send not; wait 1s; send;
    reply accepted -> ACCEPTED NONE CAPTURED
sf: create; reply busy; wait 30m; send not -> NEVER_SENT NONE RELEASED
sf: queue; is QUEUED NONE HELD; send; reply accepted -> ACCEPTED NONE CAPTURED
sf: queue; wait 30m; send not -> NEVER_SENT NONE RELEASED
sf: create; reply busy bad_credentials -> QUEUED NONE HELD ACCOUNT_REJECTED
sf: create; reply unknown wrong_waybill -> UNKNOWN NONE HELD WRONG_WAYBILL
# a query speaks of the parcel: without a sign that ours has arrived it proves nothing
zto: create; reply unknown; look accepted -> UNKNOWN NONE HELD
zto: create; reply unknown; look missed -> UNKNOWN NONE HELD
zto: create; reply unknown; look cancelled -> UNKNOWN NONE HELD
# whose return it is
sf: create; reply unknown; look - returning@1h -> REFUSED NONE RELEASED
sf: create; reply unknown; look - returning/interception@1h -> REFUSED NONE RELEASED
zto: create; reply received; look received addressee_refused returning -> REFUSED NONE RELEASED
zto: create; reply received; look received returning/addressee_refused -> REFUSED NONE RELEASED
zto: create; reply received; look received returning/bad_address -> REFUSED NONE RELEASED
sf: create; reply unknown; look - returning/redirect -> REFUSED NONE RELEASED
sf: create; reply refused already_intercepted; wait 1h; look - returning/interception
    -> REFUSED NONE RELEASED
sf: create; reply accepted; look - addressee_refused returning signed
    -> ACCEPTED RETURNED CAPTURED
zto: create; reply received; look accepted addressee_refused returning return_signed
    -> ACCEPTED RETURNED CAPTURED
# late: the fee went back, and is not taken again
sf: create; reply refused too_late; wait 1h; look - returning/interception
    -> LATE_ACCEPTED RETURNING RELEASED LATE_ACCEPTANCE
zto: create; reply unknown; wait 31m; look absent; is NEVER_SENT; wait 1h;
    look received returning/interception return_signed
    -> LATE_ACCEPTED RETURNED RELEASED LATE_ACCEPTANCE
# the carrier outlives its bound, and the request sent instead finds no connection
zto: create; reply unknown; wait 20m; look absent; is QUEUED; send; reply unknown not_sent;
    wait 11m; send not; is NEVER_SENT; wait 1h; look received returning/interception
    -> LATE_ACCEPTED RETURNING RELEASED LATE_ACCEPTANCE
# delivered all the same
sf: create; reply accepted; look - signed -> ACCEPTED RETURN_FAILED REFUNDED PROMISE_BROKEN
sf: create; reply accepted; look - signed; look - signed
    -> ACCEPTED RETURN_FAILED REFUNDED PROMISE_BROKEN
zto: create; reply received; look received signed -> REFUSED NONE RELEASED
zto: create; reply received; look accepted; look missed
    -> ACCEPTED RETURN_FAILED REFUNDED PROMISE_BROKEN
sf: create; reply accepted; look - returning return_refused -> ACCEPTED RETURN_FAILED CAPTURED
sf: create; reply accepted; look - lost -> ACCEPTED LOST CAPTURED
sf: create; reply accepted; look - lost; wait 1d; look - found returning
    -> ACCEPTED RETURNING CAPTURED
sf: create; reply accepted; look - lost; wait 1d; look - lost found in_transit
    -> ACCEPTED NONE CAPTURED
sf: create; reply accepted; look - lost; wait 1d; look - lost found in_transit; wait 1d;
    look - lost found in_transit returning return_signed -> ACCEPTED RETURNED CAPTURED
sf: create; reply accepted; look - cancelled -> ACCEPTED NOT_SHIPPED CAPTURED
# a timer is not evidence: it only asks a person
zto: create; reply received; wait 3d; look received -> PROCESSING NONE HELD NO_EVIDENCE
sf: create; reply unknown; wait 3d; look - -> UNKNOWN NONE HELD NO_EVIDENCE
sf: create; reply unknown; wait 3d; look -; wait 1d; look - signed -> REFUSED NONE RELEASED
mute: create; reply received; wait 3d; look - -> PROCESSING NONE HELD NO_EVIDENCE
sf: create; reply accepted; wait 14d; look - -> ACCEPTED NONE CAPTURED
sf: create; reply accepted; wait 15d; look - -> ACCEPTED NONE CAPTURED STALE
sf: create; reply accepted; wait 15d; look -; wait 1h; look - returning
    -> ACCEPTED RETURNING CAPTURED
# the merchant changes his mind
sf: queue; withdraw; cancel-is DONE -> CANCELLED NONE RELEASED
sf: queue; withdraw; wait 1m; send not -> CANCELLED NONE RELEASED
sf: create; withdraw; cancel-is ASKED; reply busy; cancel-is DONE -> CANCELLED NONE RELEASED
sf: create; withdraw; reply refused too_late; cancel-is DENIED -> REFUSED NONE RELEASED
sf: create; withdraw; reply accepted; is ACCEPTED NONE CAPTURED; cancel cancelled;
    cancel-is DONE -> CANCELLED NONE REFUNDED
sf: create; withdraw; reply unknown; wait 1m; send not; cancel-is ASKED -> UNKNOWN NONE HELD
sf: create; reply accepted; withdraw; withdraw; cancel too_late; cancel-is DENIED
    -> ACCEPTED NONE CAPTURED
sf: create; reply accepted; withdraw; cancel cancelled already_cancelled
    -> CANCELLED NONE REFUNDED
sf: create; reply accepted; withdraw; cancel unknown; cancel-is ASKED; wait 5s;
    cancel cancelled -> CANCELLED NONE REFUNDED
sf: create; reply accepted; withdraw; cancel absent; is ACCEPTED; cancel-is ASKED
    -> ACCEPTED NONE CAPTURED
sf: create; reply accepted; look - returning; withdraw CANCEL_TOO_LATE
    -> ACCEPTED RETURNING CAPTURED
sf: create; reply accepted; withdraw; look - returning; cancel-is DENIED
    -> ACCEPTED RETURNING CAPTURED
sf: create; reply refused too_late; withdraw CANCEL_TOO_LATE -> REFUSED NONE RELEASED
mute: create; reply received; withdraw CANCEL_NOT_OFFERED -> PROCESSING NONE HELD
zto: create; reply received; withdraw; cancel cancelled -> CANCELLED NONE RELEASED
zto: create; reply received; withdraw; cancel unknown; look cancelled; cancel-is DONE
    -> CANCELLED NONE RELEASED
zto: create; reply unknown; withdraw; cancel cancelled -> CANCELLED NONE RELEASED
zto: create; reply unknown; withdraw; wait 20m; look absent; cancel-is DONE
    -> CANCELLED NONE RELEASED
zto: create; reply unknown; withdraw; wait 31m; look absent; cancel-is DENIED
    -> NEVER_SENT NONE RELEASED
zto: create; reply received; withdraw; cancel unknown; look missed; cancel-is DENIED
    -> REFUSED NONE RELEASED
# the holder of the lease has gone
sf: create; crash; send not -> UNKNOWN NONE HELD
sf: create; crash; send not; reply accepted -> ACCEPTED NONE CAPTURED
zto: create; crash; send; reply received -> PROCESSING NONE HELD
sf: create; withdraw; crash; send not; cancel-is ASKED -> UNKNOWN NONE HELD
"""


def lines(text: str) -> list[str]:
    """Stories without their headings; an indented line goes on with the one before."""
    whole = text.strip().replace("\n    ", " ")
    return [line for line in whole.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("line", lines(STORIES))
def test_story(line: str) -> None:
    channel, steps, outcome = re.fullmatch(r"(\w+): (.*) -> (.*)", line).groups()  # type: ignore[union-attr]
    assert Story(channel).tell(steps) == outcome


TERMS = [
    ("promise_on", Promise.REPLY, "zto: create; reply accepted -> ACCEPTED NONE CAPTURED"),
    ("promise_on", Promise.REPLY, "zto: create; reply received -> ACCEPTED NONE CAPTURED"),
    ("promise_on", Promise.EVIDENCE, "sf: create; reply accepted -> PROCESSING NONE HELD"),
    ("promise_on", Promise.PAYMENT, "sf: create; reply accepted -> PROCESSING NONE HELD"),
    (
        "unlisted_no",
        UnlistedNo.HOLD,
        "sf: create; reply refused unlisted; look - -> UNKNOWN NONE HELD",
    ),
    ("unlisted_no", UnlistedNo.HOLD, "mute: create; reply refused unlisted -> UNKNOWN NONE HELD"),
    (
        "fee_on_cancel",
        OnCancel.KEEP,
        "sf: create; reply accepted; withdraw; cancel cancelled -> CANCELLED NONE CAPTURED",
    ),
    (
        "fee_on_cancel",
        OnCancel.KEEP,
        "zto: create; reply received; withdraw; cancel cancelled -> CANCELLED NONE RELEASED",
    ),
    (
        "refund_on_return_failed",
        False,
        "sf: create; reply accepted; look - signed"
        " -> ACCEPTED RETURN_FAILED CAPTURED PROMISE_BROKEN",
    ),
]


@pytest.mark.parametrize(("term", "value", "line"), TERMS)
def test_story_under_another_contract(term: str, value: object, line: str) -> None:
    channel, rest = line.split(": ", 1)
    steps, outcome = rest.split(" -> ")
    assert Story(channel, **{term: value}).tell(steps) == outcome


def test_a_reading_is_as_old_as_its_question() -> None:
    """An answer that was hours on its way, or a clock that leapt meanwhile, tells of then."""
    stage = Stage("zto")
    stage.register()
    seen = stage.scan(Milestone.IN_TRANSIT, stage.now - HOUR_MS)
    read = Answer(Verdict.RECEIVED, scans=(seen,), asked_at=stage.now)
    stage.wait(9 * HOUR_MS)
    told = stage.do(stage.quoting(read=read))
    assert isinstance(told, Refusal)
    assert told.why is Why.STATUS_PENDING
    assert stage.do(stage.quoting(read=replace(read, asked_at=stage.now))).quote is not None


@pytest.mark.parametrize("channel", ["sf", "zto"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
def test_turned_and_then_delivered_ends_alike_however_late_it_is_heard(
    channel: str, at_once: bool
) -> None:
    """The turn shows that the carrier took it; what came after breaks the promise."""
    stage = Stage(channel)
    stage.create()
    stage.reply(Verdict.RECEIVED)
    stage.wait(HOUR_MS)
    turned = stage.scan(Milestone.RETURNING, cause=Cause.INTERCEPTION)
    if not at_once:
        stage.look(Verdict.ACCEPTED, turned)
    stage.wait(HOUR_MS)
    stage.look(Verdict.MISSED, turned, stage.scan(Milestone.SIGNED, signer="收件人"))
    assert stage.columns == "ACCEPTED RETURN_FAILED REFUNDED"
