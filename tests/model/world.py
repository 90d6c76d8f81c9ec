"""Everything that can happen next: workers, leases, the network, the carrier, the parcel, time."""

from collections.abc import Iterator
from functools import cache

from gateway.domain.carrier import Dedup, Promise, Verdict
from gateway.domain.interception import AT_CARRIER, UNDECIDED, Cancel, Decision, Event
from tests.model.ours import TAKEN_ON, Ours, answered, move, replaced
from tests.model.parts import (
    IDLE,
    Carrier,
    Fate,
    Known,
    Look,
    Phase,
    Post,
    Protocol,
    Query,
    Request,
    State,
    Step,
    Worker,
    World,
)

D, V, P, R = Decision, Verdict, Phase, Request
Next = Iterator[tuple[Step, State]]
AWAY = (R.UNDER_WAY, R.TAKEN)
CALLING = frozenset(P) - {P.IDLE, P.LOOKED}  # where a crash takes something with it


class Model:
    """The successor function of one row of the table."""

    def __init__(self, carrier: Carrier, protocol: Protocol, world: World) -> None:
        self.carrier = carrier
        self.protocol = protocol
        self.world = world
        self.ours = Ours(carrier, protocol)

    def successors(self, s: State) -> Next:
        for step, after in self._raw(s):
            if after is not s:
                yield step, tidy(after)

    def _raw(self, s: State) -> Next:
        yield from self._store(s)
        for who in (0, 1):
            yield from WORK[s.workers[who].phase](self, s, who)
            if s.workers[who].phase in CALLING and s.crashes < self.world.crashes_max:
                crashed = put(s, who, IDLE)
                yield Step("crash", who), crashed._replace(crashes=s.crashes + 1)
        for at, post in enumerate(s.posts):
            if post.request is R.UNDER_WAY:
                yield Step("lose", post=at), put_post(s, at, post._replace(request=R.ENDED))
                yield from self._arrive(s, at, post)
            elif post.request is R.TAKEN:
                yield from self._decide(s, at, post)
        yield from self._parcel(s)
        yield from self._time(s)

    # -- the store: transactions that need no worker's memory --------------------------------

    def _store(self, s: State) -> Next:
        if s.leased:
            yield Step("take_over"), self.ours.take_over(s)
        if s.decision is D.QUEUED and s.deadline and not s.leased:
            yield Step("expire"), self.ours.expire(s)
        withdrawable = s.decision in UNDECIDED or (s.decision is D.ACCEPTED and not s.moved)
        if self.world.merchant_withdraws and s.cancel is Cancel.NONE and withdrawable:
            yield Step("withdraw"), self.ours.withdraw(s)

    # -- workers -----------------------------------------------------------------------------

    def _idle(self, s: State, who: int) -> Next:
        due = s.decision is D.QUEUED and not s.deadline
        due = due or (s.decision is D.UNKNOWN and self.ours.repeats(s))
        if not s.leased and due and len(s.posts) < self.world.posts_max:
            leased = self.ours.lease(s)
            yield Step("lease", who), put(leased, who, Worker(P.LEASED, len(s.posts), None))
        if self.ours.looks(s):
            yield from self._look(s, who)
        if self.carrier.cancel and self.ours.cancels(s):
            sent = s._replace(cancel=Cancel.SENT)
            yield Step("lease_cancel", who), put(sent, who, Worker(P.CANCELLING, -1, None))

    def _look(self, s: State, who: int) -> Next:
        if sum(worker.phase is P.LOOKED for worker in s.workers) >= self.world.readings_max:
            return
        asked = None if self.carrier.query is Query.NONE else s.known
        fate = s.fate if self.carrier.track else Fate.OPEN
        none = asked is Known.NOTHING  # for which alone it matters when it was asked
        answers = 0 if asked is None else answered(s)
        told = Look(asked, fate, s.bound and none, len(s.posts) if none else 0, answers)
        yield Step("look", who, choice=seen(told)), put(s, who, Worker(P.LOOKED, -1, told))

    def _leased(self, s: State, who: int) -> Next:
        at = s.workers[who].post
        held = s.leased and at == len(s.posts) - 1
        if not self.protocol.lease_checked:
            yield Step("no_check", who, at), put(s, who, Worker(P.CHECKED, at, None))
            return
        if held:
            yield Step("check", who, at), put(s, who, Worker(P.CHECKED, at, None))
        # or its time has run out, taken over or not
        yield Step("too_late_to_send", who, at), put(s, who, Worker(P.ANSWERED, at, V.BUSY))

    def _checked(self, s: State, who: int) -> Next:
        at = s.workers[who].post
        yield Step("no_connection", who, at), put(s, who, Worker(P.ANSWERED, at, V.BUSY))
        sent = put_post(s, at, s.posts[at]._replace(request=R.UNDER_WAY))
        yield Step("send", who, at), put(sent, who, Worker(P.WAITING, at, None))

    def _waiting(self, s: State, who: int) -> Next:
        at = s.workers[who].post
        reply = s.posts[at].reply
        yield Step("time_out", who, at), put(s, who, Worker(P.ANSWERED, at, V.UNKNOWN))
        if reply is not None:
            yield Step("hear", who, at, reply), put(s, who, Worker(P.ANSWERED, at, reply))

    def _answered(self, s: State, who: int) -> Next:
        worker = s.workers[who]
        assert isinstance(worker.told, Verdict)
        after = self.ours.finish(s, worker.post, worker.told)
        yield Step("commit", who, worker.post, worker.told), put(after, who, IDLE)

    def _looked(self, s: State, who: int) -> Next:
        look = s.workers[who].told
        assert isinstance(look, Look)
        after = self.ours.observe(s, look)
        yield Step("observe", who, choice=seen(look)), put(after, who, IDLE)
        yield Step("unread", who), put(s, who, IDLE)

    def _cancelling(self, s: State, who: int) -> Next:
        """The cancel reaches the carrier; its answer may be lost."""
        for told, after in self._cancel(s):
            for heard in (told, V.UNKNOWN):
                cancelled = put(after, who, Worker(P.CANCELLED, -1, heard))
                yield Step("cancel", who, choice=f"{told}/{heard}"), cancelled

    def _cancelled(self, s: State, who: int) -> Next:
        told = s.workers[who].told
        assert isinstance(told, Verdict)
        after = self.ours.cancelled(s, told)
        yield Step("commit_cancel", who, choice=told), put(after, who, IDLE)

    # -- the carrier -------------------------------------------------------------------------

    def _arrive(self, s: State, at: int, post: Post) -> Next:
        again = self._recognised(s)
        if again is not None:
            yield Step("recognise", post=at, choice=again), answer(s, at, again)
            return
        if self.carrier.promise is Promise.REPLY:
            yield from self._decide(s, at, post)
            return
        yield Step("refuse", post=at), refuse(answer(s, at, V.REFUSED))
        if self._acceptable(s):
            taken = post._replace(request=R.TAKEN, reply=V.RECEIVED)
            known = Known.RECEIVED if s.known is Known.NOTHING else s.known
            yield Step("receive", post=at), put_post(s, at, taken)._replace(known=known)

    def _decide(self, s: State, at: int, post: Post) -> Next:
        told = post.request is not R.TAKEN  # a receipt was the answer
        refused = answer(s, at, V.REFUSED) if told else end(s, at)
        yield Step("refuse", post=at), refuse(refused)
        if self._acceptable(s):
            taken = answer(s, at, V.ACCEPTED) if told else end(s, at)
            begun = taken._replace(known=Known.ACCEPTED, effects=s.effects + 1)
            yield Step("accept", post=at), begun

    def _recognised(self, s: State) -> Verdict | None:
        """What a repeat is told by a carrier that sees that it is one; None: a new request."""
        if s.known is Known.NOTHING or self.carrier.dedup is Dedup.NONE:
            return None
        if self.carrier.dedup is Dedup.WAYBILL and s.known is Known.CANCELLED:
            return None
        if s.known is Known.REFUSED:
            return V.REFUSED if self.world.refusals_stand else None
        if s.known in TAKEN_ON and not self.carrier.says_duplicate:
            return V.ACCEPTED
        return V.DUPLICATE

    def _acceptable(self, s: State) -> bool:
        """Whether a request that arrives now may be accepted."""
        if s.fate is not Fate.OPEN or s.tombstone:
            return False
        return s.known is not Known.REFUSED or not self.world.refusals_stand

    def _cancel(self, s: State) -> Iterator[tuple[Verdict, State]]:
        """What a cancel does, and is told."""
        dead = s._replace(tombstone=s.tombstone or self.carrier.tombstone)
        match s.known:
            case Known.FIRM:
                yield V.TOO_LATE, s
            case Known.ACCEPTED:
                yield V.TOO_LATE, s._replace(known=Known.FIRM)
                if s.fate is Fate.OPEN:
                    yield V.CANCELLED, dead._replace(known=Known.CANCELLED)
            case Known.RECEIVED:
                posts = tuple(
                    post._replace(request=R.ENDED) if post.request is R.TAKEN else post
                    for post in s.posts
                )
                yield V.CANCELLED, dead._replace(known=Known.CANCELLED, posts=posts)
            case Known.CANCELLED:
                yield V.CANCELLED, s
            case _ if self.carrier.tombstone:
                yield V.CANCELLED, dead
            case Known.REFUSED:
                yield V.REFUSED, s
            case _:
                yield V.ABSENT, s

    # -- the parcel and the clock --------------------------------------------------------------

    def _parcel(self, s: State) -> Next:
        if s.fate is not Fate.OPEN or not self.carrier.track:
            return
        yield Step("deliver"), s._replace(fate=Fate.DELIVERED)
        if s.known in TAKEN_ON:
            yield Step("turn"), s._replace(fate=Fate.RETURNING)
        else:
            yield Step("turn_otherwise"), s._replace(fate=Fate.TURNED_OTHERWISE)

    def _time(self, s: State) -> Next:
        if s.decision not in UNDECIDED:
            return
        if not s.deadline:
            yield Step("deadline"), s._replace(deadline=True)
        if not s.bound and s.posts and self._bound_may_pass(s):
            yield Step("bound"), s._replace(bound=True)
        if self.protocol.refund_when_overdue and s.decision in AT_CARRIER and s.deadline:
            yield Step("overdue"), move(s, Event.REFUSE)

    def _bound_may_pass(self, s: State) -> bool:
        """The bound is longer than any lease; a request is dead by then, if it holds."""
        if s.leased:
            return False
        if not self.world.bound_holds:
            return True
        ready = any(worker.phase is P.CHECKED for worker in s.workers)
        return not ready and all(post.request is not R.UNDER_WAY for post in s.posts)

    def can_execute(self, s: State) -> bool:
        """Whether a request of ours may still be accepted."""
        if not self._acceptable(s):
            return False
        if any(post.request is R.TAKEN for post in s.posts):
            return True
        ready = any(worker.phase is P.CHECKED for worker in s.workers)
        coming = ready or any(post.request is R.UNDER_WAY for post in s.posts)
        return coming and self._recognised(s) is None


WORK = {
    P.IDLE: Model._idle,
    P.LEASED: Model._leased,
    P.CHECKED: Model._checked,
    P.WAITING: Model._waiting,
    P.ANSWERED: Model._answered,
    P.LOOKED: Model._looked,
    P.CANCELLING: Model._cancelling,
    P.CANCELLED: Model._cancelled,
}


def put(s: State, who: int, worker: Worker) -> State:
    other = s.workers[1 - who]
    return s._replace(workers=(worker, other) if who == 0 else (other, worker))


def put_post(s: State, at: int, post: Post) -> State:
    return s._replace(posts=replaced(s.posts, at, post))


def answer(s: State, at: int, reply: Verdict) -> State:
    return put_post(s, at, s.posts[at]._replace(request=R.ENDED, reply=reply))


def end(s: State, at: int) -> State:
    return put_post(s, at, s.posts[at]._replace(request=R.ENDED))


def refuse(s: State) -> State:
    nothing = s.known in (Known.NOTHING, Known.RECEIVED)
    return s._replace(known=Known.REFUSED) if nothing else s


def seen(look: Look) -> str:
    asked = "" if look.asked is None else f"query: {look.asked}"
    track = "" if look.fate is Fate.OPEN else f"tracking: {look.fate}"
    return ", ".join(filter(None, (asked, track))) or "nothing new"


def tidy(s: State) -> State:
    """Forget what can no longer matter, so that equal futures are one state."""
    for at, post in enumerate(s.posts):
        if post.reply is not None and not _awaited(s, at):
            s = put_post(s, at, post._replace(reply=None))
    if s.decision not in UNDECIDED and not (s.deadline and s.bound):
        s = s._replace(deadline=True, bound=True)
    return s


def _awaited(s: State, at: int) -> bool:
    return any(worker.post == at and worker.phase is P.WAITING for worker in s.workers)


def key(s: State) -> State:
    """Two workers are alike: states that differ by their names are one."""
    one, two = s.workers
    return s if one == two or rank(one) <= rank(two) else s._replace(workers=(two, one))


@cache
def rank(worker: Worker) -> tuple[str, int, str]:
    return worker.phase, worker.post, "" if worker.told is None else str(worker.told)


def away(s: State) -> int:
    """Requests on their way or in the carrier's hands."""
    return sum(1 for post in s.posts if post.request in AWAY)


def watched(s: State) -> bool:
    """Past `evidence_by` an exception is open, and nothing but a decision closes it: so it
    is as good as opened where the send deadline, which comes first, has passed."""
    return s.decision in AT_CARRIER and s.deadline
