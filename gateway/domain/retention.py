"""Retention: what is personal is erased some days after a parcel's last business; ids stay.

Nothing is kept to recognise a person by: a telephone number is guessed from its hash in seconds.
What can still be told of an erased parcel (a scan, a late acceptance) is taken in without places.
"""

from collections.abc import Iterable

from gateway.domain.book import Book
from gateway.domain.claim import LIVE, Claim, Proof
from gateway.domain.command import Env, Wants
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    MOVING,
    PROMISED,
    UNDECIDED,
    Exceptional,
    Inbox,
    InboxStatus,
    Interception,
)
from gateway.domain.parcel import OrderLine, Parcel, Person, ScanRow
from gateway.domain.record import Record, replace

BATCH_MAX = 50  # parcels, and pushes, of one command: it shares its commit with the day's work
ERASED = "erased"  # where a proof was: it is a text or a place, and now neither
HOLDS = frozenset({OrderLine, Person, ScanRow, Interception, Claim, Proof})


class PurgePersonal(Record, frozen=True):
    """Parcels and pushes that seem old enough; each is looked at again before it is erased."""

    parcels: tuple[str, ...]
    pushes: tuple[str, ...]
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(
            parcels=self.parcels,
            inbox=self.pushes,
            of_parcel=HOLDS,
            of_interception=frozenset({Exceptional}),
        )


class Purged(Record, frozen=True):
    parcels: int
    pushes: int

    def __add__(self, other: "Purged") -> "Purged":
        return Purged(self.parcels + other.parcels, self.pushes + other.pushes)

    def __bool__(self) -> bool:
        return bool(self.parcels or self.pushes)


def purge_personal(book: Book, command: PurgePersonal, env: Env, terms: Terms) -> Purged:
    before = env.now - terms.policy.retention_ms
    parcels = [book.get(Parcel, key) for key in command.parcels[:BATCH_MAX]]
    pushes = [book.get(Inbox, key) for key in command.pushes[:BATCH_MAX]]
    old = [p for p in parcels if p is not None and _over(book, p, before)]
    read = [p for p in pushes if p is not None and _read(book, p, before)]
    for parcel in old:
        _erase(book, parcel, env.now)
    for push in read:
        book.put(replace(push, body=b""))  # its hash stays
    return Purged(len(old), len(read))


def _over(book: Book, parcel: Parcel, before: int) -> bool:
    """Whether nothing of it is under way, and nothing of it happened since. What a person was
    asked to look at waits for one as long as everything else, and not for ever."""
    if parcel.purged_at:
        return False
    interceptions = book.of(Interception, parcel.id)
    claims = book.of(Claim, parcel.id)
    if any(_live(ic) for ic in interceptions) or any(claim.state in LIVE for claim in claims):
        return False
    subjects = (parcel.id, *(ic.id for ic in interceptions), *(claim.id for claim in claims))
    exceptions = [e for subject in subjects for e in book.of(Exceptional, subject)]
    scans = book.of(ScanRow, parcel.id)
    times = (
        parcel.registered_at,
        *(ic.decided_at for ic in interceptions),
        *(max(claim.filed_at, claim.decided_at) for claim in claims),
        *(e.closed_at or e.opened_at for e in exceptions),
        *(max(scan.at, scan.arrived_at) for scan in scans),
    )
    return max(times) <= before


def _live(ic: Interception) -> bool:
    """A lost parcel is not waited for: should it be found, that is told without a person."""
    return ic.decision in UNDECIDED or (ic.decision in PROMISED and ic.movement in MOVING)


def _read(book: Book, push: Inbox, before: int) -> bool:
    """Whether a push is of no more use: applied, of nobody, seen by a person, or by none in all
    that time."""
    if push.status is InboxStatus.NEW or not push.body or push.received_at > before:
        return False
    open_ = (e for e in book.of(Exceptional, push.id) if e.closed_at is None)
    return all(e.opened_at <= before for e in open_)


def _erase(book: Book, parcel: Parcel, now: int) -> None:
    for person in book.of(Person, parcel.id):
        book.put(replace(person, name="", phone="", province="", city="", district="", street=""))
    _put_changed(book, (replace(line, title="") for line in book.of(OrderLine, parcel.id)))
    _put_changed(book, (replace(scan, place="") for scan in book.of(ScanRow, parcel.id)))
    for claim in book.of(Claim, parcel.id):
        _put_changed(book, (replace(claim, description=""),))
        for proof in book.of(Proof, claim.id):
            book.put(replace(proof, uri=ERASED, text=""))
    book.put(replace(parcel, purged_at=now))


def _put_changed(book: Book, rows: Iterable[OrderLine | ScanRow | Claim]) -> None:
    for row in rows:
        if row != book.get(type(row), row.id):
            book.put(row)
