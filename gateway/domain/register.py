"""Parcels and their scans as they come in: who owns a number, and what is known of it."""

from gateway.domain.book import Book
from gateway.domain.carrier import Answer, Scan, Status, Tier, Verdict
from gateway.domain.command import Env, No, Wants
from gateway.domain.fees import Terms
from gateway.domain.interception import Interception
from gateway.domain.parcel import (
    EPOCH_GAP_MS,
    LINES_MAX,
    ORDERS_MAX,
    SCANS_MAX,
    Alias,
    Merchant,
    OrderLine,
    Parcel,
    Person,
    ScanRow,
    Subscription,
    journey,
    scan_row,
)
from gateway.domain.record import Hidden, Record, replace
from gateway.domain.refusal import Refusal, Why
from gateway.domain.subscribing import subscribe


class RegisterParcel(Record, frozen=True):
    """Lines and people come with an empty `parcel`: it is known only here."""

    tenant: str
    merchant: str
    channel: str
    network: str
    account: str
    waybill: str
    declared: Status
    lines: tuple[OrderLine, ...]
    people: Hidden[tuple[Person, ...]]
    evidence: bool = False

    def wants(self) -> Wants:
        return Wants(
            merchants=(self.merchant,),
            waybills=(f"{self.network}/{self.waybill}",),
            of_parcel=frozenset({OrderLine, Alias, Person, ScanRow, Interception, Subscription}),
        )


def register_parcel(book: Book, command: RegisterParcel, env: Env, terms: Terms) -> Parcel | No:
    merchant = book.get(Merchant, command.merchant)
    if merchant is None:
        return Refusal(Why.MERCHANT_UNKNOWN)
    if (command.channel, command.account) not in terms.accounts:
        return Refusal(Why.CARRIER_NOT_CONFIGURED, field="carrier_account")
    orders = {line.order_no for line in command.lines}
    if len(command.lines) > LINES_MAX or len(orders) > ORDERS_MAX:
        return Refusal(Why.LIMIT_REACHED, detail=f"{ORDERS_MAX} orders, {LINES_MAX} lines")
    found = newest(book, command.network, command.waybill)
    epoch = 1
    if found is not None:
        last = max([s.at for s in book.of(ScanRow, found.id)], default=found.registered_at)
        if env.now - max(last, found.registered_at) <= EPOCH_GAP_MS:
            return _again(book, command, found, env, terms)
        epoch = found.epoch + 1
    elif returning(book, command, env.now):
        return Refusal(Why.WAYBILL_NOT_YOURS, field="waybill")
    parcel = book.put(
        Parcel(
            id=env.new_id(),
            tenant=command.tenant,
            merchant=command.merchant,
            network=command.network,
            channel=command.channel,
            account=command.account,
            waybill=command.waybill,
            epoch=epoch,
            currency=merchant.currency,
            declared=command.declared,
            status=Status.UNKNOWN,
            status_at=0,
            read_at=0,
            registered_at=env.now,
            purged_at=0,
        )
    )
    for line in command.lines:
        key = f"{parcel.id}/{line.order_no}/{line.line_no}"
        book.put(replace(line, id=key, parcel=parcel.id))
    for person in command.people:
        book.put(replace(person, id=f"{parcel.id}/{person.role}", parcel=parcel.id))
    subscribe(book, parcel, env, terms)
    return parcel


def _again(
    book: Book, command: RegisterParcel, found: Parcel, env: Env, terms: Terms
) -> Parcel | No:
    """Registering the same parcel twice is one registration; other contents are refused.

    One whose personal data was erased is given it anew, for as long again.
    """
    if found.tenant != command.tenant or found.merchant != command.merchant:
        return Refusal(Why.WAYBILL_NOT_YOURS, field="waybill")
    before = book.of(OrderLine, found.id)
    erased = found.purged_at > 0
    said = {_contents(line, erased=erased) for line in command.lines}
    if {_contents(line, erased=erased) for line in before} != said:
        return Refusal(Why.WAYBILL_REGISTERED, field="orders", subject=found.id)
    now = {(line.order_no, line.line_no): line for line in command.lines}
    for line in before:
        told = now[line.order_no, line.line_no]
        changed = replace(line, cancelled=told.cancelled, title=told.title)
        if changed != line:
            book.put(changed)
    found = _by_channel(book, command, found, env, terms)
    if not erased:
        return found
    for person in command.people:
        book.put(replace(person, id=f"{found.id}/{person.role}", parcel=found.id))
    return book.put(replace(found, registered_at=env.now, purged_at=0))


def _by_channel(
    book: Book, command: RegisterParcel, found: Parcel, env: Env, terms: Terms
) -> Parcel:
    """The channel that was named last is used, once nothing is open over another."""
    same = (found.channel, found.account) == (command.channel, command.account)
    if same or any(ic.open for ic in book.of(Interception, found.id)):
        return found
    found = book.put(replace(found, channel=command.channel, account=command.account))
    subscribe(book, found, env, terms)
    return found


def _contents(line: OrderLine, *, erased: bool) -> OrderLine:
    """What may not change any more once a parcel is registered."""
    title = "" if erased else line.title
    return replace(line, id="", parcel="", cancelled=False, title=title)


def newest(book: Book, network: str, waybill: str) -> Parcel | None:
    """The parcel of this number now: carriers re-use numbers, the newest epoch counts."""
    found = [p for p in book.all(Parcel) if p.network == network and p.waybill == waybill]
    return max(found, key=lambda parcel: parcel.epoch, default=None)


def numbers_of(book: Book, parcel: Parcel) -> set[str]:
    """Its own number, and those of its way back."""
    return {parcel.waybill, *(alias.waybill for alias in book.of(Alias, parcel.id))}


def returning(book: Book, command: RegisterParcel, now: int) -> bool:
    """Whether the number is that of somebody's way back, and not of one that is long over."""
    back = aliases(book, command.network, command.waybill)
    return any(now - alias.at <= EPOCH_GAP_MS for alias in back)


def aliases(book: Book, network: str, waybill: str) -> list[Alias]:
    """Who is coming back under this number now, as far as we have heard."""
    found = [a for a in book.all(Alias) if a.network == network and a.waybill == waybill]
    newest_at = max((alias.at for alias in found), default=0)
    return [alias for alias in found if newest_at - alias.at <= EPOCH_GAP_MS]


def store_scans(
    book: Book,
    parcel: Parcel,
    scans: tuple[Scan, ...],
    tier: Tier,
    env: Env,
    *,
    asked_at: int | None = None,
) -> Parcel:
    """Keep new scans; one told again by a better source is taken over whole from it.

    `asked_at` where they are the answer to a tracking request: the parcel has been looked at.
    Scans of a lesser tier take no room from better ones.
    """
    people = book.of(Person, parcel.id)
    numbers = numbers_of(book, parcel)
    known = sum(1 for row in book.of(ScanRow, parcel.id) if row.tier <= tier)
    for scan in scans:
        row = scan_row(parcel, people, scan, tier, env.now)
        found = book.get(ScanRow, row.id)
        if found is None and known < SCANS_MAX:
            known += 1
            book.put(row)
        elif found is not None and row.tier < found.tier:
            book.put(replace(row, arrived_at=found.arrived_at))
        back = row.return_waybill
        if back and tier is Tier.T1 and back not in numbers:
            numbers.add(back)
            book.put(Alias(f"{parcel.id}/{back}", parcel.id, back, parcel.network, env.now))
    here = journey(parcel, book.of(ScanRow, parcel.id))
    status = here.status
    if asked_at is not None and status is Status.UNKNOWN:
        status = Status.NOT_PICKED_UP  # the carrier knows of no scan yet
    changed = replace(
        parcel,
        status=status,
        status_at=here.status_at,
        read_at=max(parcel.read_at, asked_at or 0),
    )
    return changed if changed == parcel else book.put(changed)


def keep_reading(book: Book, parcel: Parcel, read: Answer, env: Env) -> Parcel:
    """Keep a tracking answer: it tells of when it was asked for, not of when it came."""
    return store_scans(book, parcel, read.scans, Tier.T1, env, asked_at=read.asked_at or env.now)


class RecordTrack(Record, frozen=True):
    """A tracking answer that came after Quote had stopped waiting for it."""

    parcel: str
    read: Answer
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(parcels=(self.parcel,), of_parcel=frozenset({Person, ScanRow, Alias}))


def record_track(book: Book, command: RecordTrack, env: Env, _: Terms) -> Parcel | No:
    parcel = book.get(Parcel, command.parcel)
    if parcel is None:
        return Refusal(Why.PARCEL_UNKNOWN)
    if command.read.verdict is not Verdict.RECEIVED:
        return parcel
    return keep_reading(book, parcel, command.read, env)
