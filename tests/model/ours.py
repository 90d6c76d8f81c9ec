"""What the gateway writes, one transaction each: transcribed from its domain, and tied to it.

The transition table is the gateway's own. The rest says again, over the model's small state, what
`reply`, `reading`, `due` and `create` in `gateway/domain` say over rows; `test_ties.py` plays the
model's traces on the real decisions and compares. The unsafe variants branch off here.
"""

from gateway.domain.carrier import Dedup, Promise, Verdict
from gateway.domain.interception import (
    AT_CARRIER,
    PROMISED,
    SETTLED,
    UNDECIDED,
    Cancel,
    Decision,
    Effect,
    Event,
    IllegalTransition,
    Money,
    Outcome,
    step,
)
from gateway.domain.lifecycle import ENDED_UNSTOPPED
from tests.model.parts import (
    Carrier,
    Fate,
    IllegalStep,
    Known,
    Look,
    Post,
    Protocol,
    Query,
    Request,
    Resend,
    State,
)

D, E, V = Decision, Event, Verdict
MAYBE_SENT = (Outcome.LOST, Outcome.ANSWERED, None)
TAKEN_ON = (Known.ACCEPTED, Known.FIRM)
RETURNS = (Fate.RETURNING, Fate.TURNED_OTHERWISE)


class Ours:
    """The gateway's decisions under one protocol, with one carrier."""

    def __init__(self, carrier: Carrier, protocol: Protocol) -> None:
        self.carrier = carrier
        self.protocol = protocol
        self.recognised = carrier.dedup in protocol.resend_by

    def repeats(self, s: State) -> bool:
        """Whether an unknown may be sent again."""
        if self.protocol.resend is Resend.ALWAYS:
            return not s.deadline
        return self.protocol.resend is Resend.ALLOWED and self.recognised and not s.deadline

    # -- the job that sends ----------------------------------------------------------------

    def lease(self, s: State) -> State:
        """The attempt is written before the request may leave."""
        if s.decision is D.QUEUED:
            s = move(s, E.SEND)._replace(sent=True)
        return s._replace(
            leased=True, posts=(*s.posts, Post(None, Request.HERE, None)), bound=False
        )

    def expire(self, s: State) -> State:
        return move(s, E.EXPIRE)

    def take_over(self, s: State) -> State:
        """The holder's time has run out: what it left open may have been sent."""
        last = s.posts[-1]
        if last.row is None:
            s = s._replace(posts=(*s.posts[:-1], last._replace(row=Outcome.LOST)))
        s = s._replace(leased=False)
        if s.decision is D.SENDING:
            s = move(s, E.LOSE if self.protocol.written_ahead else E.NOT_SENT)
            if self.protocol.refund_on_time_out:
                s = move(s, E.REFUSE)
        return s

    def finish(self, s: State, at: int, told: Verdict) -> State:
        """What came of one attempt, whoever brings it."""
        post = s.posts[at]
        live = post.row is None
        outcome = {V.BUSY: Outcome.NOT_SENT, V.UNKNOWN: Outcome.LOST}.get(told, Outcome.ANSWERED)
        ours = at == len(s.posts) - 1 and s.leased
        if ours or not self.protocol.fenced:
            s = s._replace(leased=False)
        if live:
            s = s._replace(posts=replaced(s.posts, at, post._replace(row=outcome)))
        s = self._posted(s, at, told, live=live or not self.protocol.fenced)
        if s.decision is D.QUEUED and s.cancel is Cancel.ASKED:
            s = move(s._replace(cancel=Cancel.DONE), E.WITHDRAW)
        return s

    def _posted(self, s: State, at: int, told: Verdict, *, live: bool) -> State:
        event = self.meaning(s, at, told)
        if event is E.REFUSE and s.decision in UNDECIDED and _other_live(s, at):
            return s  # what comes of the later one decides
        if event in (E.NOT_SENT, E.LOSE) and not (live and s.decision is D.SENDING):
            if event is E.NOT_SENT and self.protocol.unsent_repeat_believed:
                return s._replace(decision=D.QUEUED) if s.decision is D.UNKNOWN else s
            return s
        if event is E.ACCEPT and s.decision in ENDED_UNSTOPPED:
            return move(s, E.LATE)
        if event is E.ACCEPT and s.decision in PROMISED:
            return s
        if event is E.RECEIPT and s.decision not in (D.QUEUED, D.SENDING, D.UNKNOWN):
            return s
        if event is E.REFUSE and s.decision not in UNDECIDED:
            return s
        if s.decision in (D.CANCELLED, D.REFUSED, D.NEVER_SENT):
            return s
        if event is E.NOT_SENT and not _left_before(s, at):
            s = s._replace(sent=False)
        s = move(s, event)
        if event is E.LOSE and self.protocol.refund_on_time_out:
            s = move(s, E.REFUSE)
        return s

    def meaning(self, s: State, at: int, told: Verdict) -> Event:
        """What a reply is worth."""
        match told:
            case V.ACCEPTED:
                return E.ACCEPT if self.carrier.promise is Promise.REPLY else E.RECEIPT
            case V.RECEIVED:
                return E.RECEIPT
            case V.REFUSED:
                repeat = self.carrier.dedup is Dedup.WAYBILL and _sent_before(s, at)
                return E.LOSE if repeat else E.REFUSE  # the first may be why
            case V.DUPLICATE:
                if self.protocol.duplicate_refuses:
                    return E.REFUSE
                return E.RECEIPT if self._by_reference or _sent_before(s, at) else E.REFUSE
            case V.BUSY:
                return E.NOT_SENT
            case _:
                return E.LOSE

    @property
    def _by_reference(self) -> bool:
        """Whether a repeat tells whose interception the carrier has."""
        return self.carrier.dedup is Dedup.REFERENCE

    # -- readings --------------------------------------------------------------------------

    def looks(self, s: State) -> bool:
        """Whether the carrier is asked: while it may have it, and when a push told something."""
        if not (self.carrier.track or self.carrier.query is not Query.NONE):
            return False
        told = self.carrier.track and s.fate is not Fate.OPEN and s.sent
        return s.decision in AT_CARRIER or (told and s.decision not in PROMISED)

    def observe(self, s: State, look: Look) -> State:
        """What query and tracking prove."""
        early = look.asked is not None and answered(s) > look.answered
        if s.decision is D.SENDING or early:  # asked before the carrier had ours
            return s
        if s.decision in UNDECIDED:
            s = self._decide(s, look)
        if s.decision in ENDED_UNSTOPPED and s.sent and look.fate is Fate.RETURNING:
            s = move(s, E.LATE)
        return self._follow_up(s, look) if s.decision is D.ACCEPTED and not s.moved else s

    def _follow_up(self, s: State, look: Look) -> State:
        """What became of a promise; one that was not kept gives the fee back."""
        failed = look.asked is Known.REFUSED and look.fate not in RETURNS
        if look.fate is Fate.OPEN and not failed:
            return s
        money = s.money if look.fate in RETURNS else Money.REFUNDED
        cancel = Cancel.DENIED if s.cancel is Cancel.ASKED else s.cancel
        return s._replace(moved=True, money=money, cancel=cancel)

    def _decide(self, s: State, look: Look) -> State:
        known = s.decision is D.PROCESSING or self.carrier.query is Query.OURS
        if look.asked in TAKEN_ON and known:
            return move(s, E.ACCEPT)
        if look.fate is Fate.DELIVERED:
            return move(s, E.REFUSE)
        if look.fate in RETURNS:
            if s.sent and not known and self._by_reference and self.repeats(s):
                return s  # the repeat tells whose interception it was
            return move(s, E.ACCEPT if s.sent and look.fate is Fate.RETURNING else E.REFUSE)
        if look.asked is Known.REFUSED and known:
            return move(s, E.REFUSE)
        if look.asked is Known.CANCELLED and known:
            return self._withdrawn(s)
        if s.decision is D.UNKNOWN and look.asked is Known.NOTHING:
            return self._absent(s, look)
        return s

    def _withdrawn(self, s: State) -> State:
        if s.cancel in (Cancel.ASKED, Cancel.SENT):
            return move(s._replace(cancel=Cancel.DONE), E.CANCEL_ACK)
        return move(s, E.REFUSE)

    def _absent(self, s: State, look: Look) -> State:
        """Nothing there: proof after the in-flight bound, and then only."""
        if self.protocol.refund_when_absent:
            return move(s, E.EXPIRE)
        asked_after = look.after_bound and look.posts == len(s.posts)
        after = asked_after if self.protocol.bound_at_ask else s.bound
        if not after or any(post.row is None for post in s.posts):
            return s
        posts = tuple(
            post._replace(row=Outcome.ABSENT) if post.row in MAYBE_SENT else post
            for post in s.posts
        )
        s = s._replace(posts=posts)
        if s.deadline:
            return move(s, E.EXPIRE)
        s = move(s, E.ABSENT)
        if s.cancel in (Cancel.ASKED, Cancel.SENT):
            s = move(s._replace(cancel=Cancel.DONE), E.WITHDRAW)
        return s

    # -- withdrawing -----------------------------------------------------------------------

    def withdraw(self, s: State) -> State:
        s = s._replace(cancel=Cancel.ASKED)
        if s.decision is D.QUEUED:
            s = move(s._replace(cancel=Cancel.DONE), E.WITHDRAW)
        return s

    def cancels(self, s: State) -> bool:
        sendable = s.decision in AT_CARRIER or s.decision is D.ACCEPTED
        return sendable and s.cancel in (Cancel.ASKED, Cancel.SENT)

    def cancelled(self, s: State, told: Verdict) -> State:
        """The answer to a cancel."""
        if s.cancel is not Cancel.SENT:
            return s
        if told is V.ABSENT and self.protocol.refund_when_cancel_absent:
            told = V.CANCELLED
        match told:
            case V.CANCELLED if not s.moved:
                s = s._replace(cancel=Cancel.DONE)
                ended = s.decision not in AT_CARRIER and s.decision is not D.ACCEPTED
                return s if ended else move(s, E.CANCEL_ACK)
            case V.TOO_LATE | V.REFUSED | V.CANCELLED:
                s = s._replace(cancel=Cancel.DENIED)
                stands = told is V.TOO_LATE and self.protocol.too_late_accepts
                return move(s, E.ACCEPT) if stands and s.decision in AT_CARRIER else s
            case _:
                return s._replace(cancel=Cancel.ASKED)  # no answer, or none yet


def move(s: State, event: Event) -> State:
    """The decision by the gateway's table, and its money in the same transaction."""
    try:
        target, effects = step(s.decision, event)
    except IllegalTransition as error:
        raise IllegalStep(str(error)) from None
    money = s.money
    for effect in effects:
        if effect is Effect.CAPTURE or effect is Effect.RELEASE or effect is Effect.REFUND:
            money = SETTLED[effect]
    s = s._replace(decision=target, money=money)
    if target in UNDECIDED:
        return s
    cancel = s.cancel
    if target in ENDED_UNSTOPPED and cancel in (Cancel.ASKED, Cancel.SENT):
        cancel = Cancel.DENIED
    return s._replace(cancel=cancel)


def answered(s: State) -> int:
    return sum(1 for post in s.posts if post.row is Outcome.ANSWERED)


def replaced(posts: tuple[Post, ...], at: int, post: Post) -> tuple[Post, ...]:
    return (*posts[:at], post, *posts[at + 1 :])


def _sent_before(s: State, at: int) -> bool:
    return any(post.row in MAYBE_SENT for i, post in enumerate(s.posts) if i != at)


def _other_live(s: State, at: int) -> bool:
    return any(post.row is None for i, post in enumerate(s.posts) if i != at)


def _left_before(s: State, at: int) -> bool:
    """One that a query did not show counts too: it has left, and the carrier may be late."""
    left = (*MAYBE_SENT, Outcome.ABSENT)
    return any(post.row in left for i, post in enumerate(s.posts) if i != at)
