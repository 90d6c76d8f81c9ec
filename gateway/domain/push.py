"""Pushes: kept before they are acknowledged, believed as far as they are signed."""

from collections.abc import Iterable

from gateway.domain.book import Book
from gateway.domain.carrier import (
    Delivery,
    Tier,
)
from gateway.domain.command import Env, Wants
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    ExceptionKind,
    Inbox,
    InboxStatus,
    Interception,
    Job,
)
from gateway.domain.lifecycle import (
    askable,
    follow,
    open_exception,
)
from gateway.domain.parcel import (
    Alias,
    Parcel,
    Person,
    ScanRow,
)
from gateway.domain.reading import QUIET_MS, latest
from gateway.domain.record import Record, replace
from gateway.domain.register import aliases, newest, numbers_of, store_scans


def told(book: Book, delivery: Delivery, network: str, tier: Tier, env: Env, terms: Terms) -> bool:
    """Keep a push's scans and have the carrier asked. Returns whether we hold the parcel.

    A push decides by itself only where the carrier can neither be queried nor tracked, and then
    only when it has been quiet for a while: the set of its scans must be whole.
    """
    parcels = dict.fromkeys(parcel.id for parcel in _of_numbers(book, network, delivery.waybills))
    for key in parcels:
        parcel = book.need(Parcel, key)
        numbers = numbers_of(book, parcel)
        scans = tuple(scan for scan in delivery.scans if scan.waybill in numbers)
        parcel = store_scans(book, parcel, scans, tier, env)
        ic = latest(book.of(Interception, parcel.id))
        if ic is None or not ic.sent_at:
            continue
        follow(book, ic, env.now if askable(book, ic, terms) else env.now + QUIET_MS)
    return bool(parcels)


def _of_numbers(book: Book, network: str, waybills: Iterable[str]) -> list[Parcel]:
    found = []
    for waybill in waybills:
        ours = newest(book, network, waybill)
        if ours is not None:
            found.append(ours)
        else:
            found += [book.need(Parcel, a.parcel) for a in aliases(book, network, waybill)]
    return found


# What a push may change, and what that is read from.
OF_PARCEL = frozenset({Person, Alias, ScanRow, Interception})
OF_INTERCEPTION = frozenset({Job})


def _about(network: str, delivery: Delivery | None) -> tuple[str, ...]:
    return tuple(f"{network}/{waybill}" for waybill in delivery.waybills) if delivery else ()


class ReceivePush(Record, frozen=True):
    """One push, verified, as it came; with what it says, where that could be read: it is kept and
    applied in one commit. Without, it is only kept."""

    row: Inbox
    network: str = ""
    delivery: Delivery | None = None
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(
            inbox=(self.row.id,),
            waybills=_about(self.network, self.delivery),
            of_parcel=OF_PARCEL if self.delivery else frozenset(),
            of_interception=OF_INTERCEPTION if self.delivery else frozenset(),
        )


def receive_push(book: Book, command: ReceivePush, env: Env, terms: Terms) -> bool:
    """Whether it is new. The same event again changes nothing and is acknowledged again."""
    if book.get(Inbox, command.row.id) is not None:
        return False
    row = replace(command.row, received_at=env.now)
    if command.delivery is not None:
        row = _applied(book, row, command.network, command.delivery, env, terms)
    book.put(row)
    if row.status is InboxStatus.QUARANTINED:
        open_exception(book, ExceptionKind.QUARANTINED, row.id, "", env, row.sha256)
    return True


def _applied(
    book: Book, row: Inbox, network: str, delivery: Delivery, env: Env, terms: Terms
) -> Inbox:
    held = told(book, delivery, network, Tier(row.tier), env, terms)
    status = InboxStatus.APPLIED if held else InboxStatus.UNMATCHED
    return replace(row, applied_at=env.now, status=status)


class ApplyPush(Record, frozen=True):
    """What one says that was only kept: it could not be applied when it came."""

    inbox: str
    network: str
    delivery: Delivery
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(
            inbox=(self.inbox,),
            waybills=_about(self.network, self.delivery),
            of_parcel=OF_PARCEL,
            of_interception=OF_INTERCEPTION,
        )


def apply_push(book: Book, command: ApplyPush, env: Env, terms: Terms) -> InboxStatus:
    row = book.need(Inbox, command.inbox)
    if row.applied_at is not None or not row.verified:
        return row.status
    row = book.put(_applied(book, row, command.network, command.delivery, env, terms))
    return row.status


class QuarantinePush(Record, frozen=True):
    """A push that breaks what should apply it: a person looks, and the others go on."""

    inbox: str
    detail: str
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(inbox=(self.inbox,))


def quarantine_push(book: Book, command: QuarantinePush, env: Env, _: Terms) -> InboxStatus:
    row = book.need(Inbox, command.inbox)
    if row.status is not InboxStatus.NEW:
        return row.status
    book.put(replace(row, status=InboxStatus.QUARANTINED))
    open_exception(book, ExceptionKind.QUARANTINED, row.id, "", env, command.detail)
    return InboxStatus.QUARANTINED
