"""Subscriptions to a carrier's pushes: asked for when a parcel is registered, renewed where they
end by themselves. Pushes only make things known sooner: tracking tells the same without them."""

from collections.abc import Mapping

from gateway.domain.book import Book
from gateway.domain.carrier import Answer, Status, Verdict
from gateway.domain.command import Env, Wants
from gateway.domain.fees import DAY_MS, HOUR_MS, MINUTE_MS, Terms
from gateway.domain.interception import ExceptionKind
from gateway.domain.lifecycle import delay, open_exception
from gateway.domain.parcel import Parcel, Person, Subscription
from gateway.domain.record import Record, replace

DELAYS_MS = (MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS)
TRIES_MAX = 10
NEVER = 2**53
CROWDED_MS = 2_000  # until an account that has its hands full is looked at again
SPARE_MS = DAY_MS  # a subscription is renewed so long before it ends
OVER = frozenset({Status.DELIVERED, Status.ENDED})


class Wanted(Record, frozen=True):
    """One parcel to be told about, and through which account."""

    parcel: str
    channel: str
    account: str
    network: str
    waybill: str
    phone_tail: str
    alone: bool  # it was refused among others, or is asked for again


def subscribe(book: Book, parcel: Parcel, env: Env, terms: Terms) -> None:
    """Asked for now; anew where the parcel has come to another channel."""
    if parcel.channel in terms.subscribes:
        book.put(Subscription(parcel.id, parcel.id, due_at=env.now, attempts=0))


class TakeSubscriptions(Record, frozen=True):
    """Those whose time has come are to be asked for now, and not by anybody else for a while."""

    parcels: tuple[str, ...]
    room: Mapping[tuple[str, str], int]  # (channel, account) -> how many more it may be asked
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(parcels=self.parcels, of_parcel=frozenset({Subscription, Person}))


def take_subscriptions(
    book: Book, command: TakeSubscriptions, env: Env, terms: Terms
) -> list[Wanted]:
    wanted = []
    room = dict(command.room)
    for key in command.parcels:
        row, parcel = book.get(Subscription, key), book.get(Parcel, key)
        if row is None or parcel is None or row.due_at > env.now:
            continue
        if parcel.status in OVER or parcel.purged_at or parcel.channel not in terms.subscribes:
            book.put(replace(row, due_at=NEVER))
            continue
        lane = parcel.channel, parcel.account
        if room.get(lane, 0) <= 0:  # those behind it are looked at meanwhile
            book.put(replace(row, due_at=env.now + CROWDED_MS))
            continue
        room[lane] -= 1
        book.put(replace(row, due_at=env.now + delay(DELAYS_MS, row.attempts)))
        people = {person.role: person for person in book.of(Person, parcel.id)}
        phone = people["sender"].phone if "sender" in people else ""
        wanted.append(
            Wanted(
                parcel.id,
                parcel.channel,
                parcel.account,
                parcel.network,
                parcel.waybill,
                phone[-4:],
                alone=row.attempts > 0,
            )
        )
    return wanted


class Subscribed(Record, frozen=True):
    """What the carrier said to one request for these parcels."""

    parcels: tuple[str, ...]
    answer: Answer
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(parcels=self.parcels, of_parcel=frozenset({Subscription}))


def subscribed(book: Book, command: Subscribed, env: Env, terms: Terms) -> int:
    """How many are subscribed now. After some tries a person is told; pushes are not needed."""
    done = 0
    for key in command.parcels:
        row, parcel = book.get(Subscription, key), book.get(Parcel, key)
        if row is None or parcel is None:
            continue
        if command.answer.verdict is Verdict.RECEIVED:
            ends = terms.adapters[parcel.channel].subscription_ms
            due = NEVER if ends is None else env.now + max(ends.value - SPARE_MS, HOUR_MS)
            book.put(replace(row, due_at=due, attempts=0))
            done += 1
            continue
        row = book.put(replace(row, attempts=row.attempts + 1))
        if row.attempts >= TRIES_MAX:
            book.put(replace(row, due_at=NEVER))
            detail = f"subscribe {command.answer.reason}"
            open_exception(book, ExceptionKind.GIVEN_UP, parcel.id, parcel.tenant, env, detail)
    return done
