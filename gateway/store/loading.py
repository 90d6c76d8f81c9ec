"""Which rows a batch needs, in lock order: a plan that either driver carries out.

A generator yields readings and is sent the records; it opens no connection itself.

Where other writers share the store, what a batch may change is locked before it is read: pushes,
then parcels, then wallets, each by key. Everything else that changes hangs on one of these (an
interception, its jobs and claims on the parcel), or is new, and then a unique index decides.
"""

from collections.abc import Generator, Iterable
from typing import Any

from gateway.domain.book import Book
from gateway.domain.claim import Award, Claim, Proof
from gateway.domain.command import Wants
from gateway.domain.interception import (
    Attempt,
    Evidence,
    Exceptional,
    Inbox,
    Interception,
    Job,
    JobKind,
    Quote,
    Request,
)
from gateway.domain.ledger import Account, AccountKind, Transfer, account_id
from gateway.domain.parcel import (
    Agreement,
    Alias,
    Incident,
    Merchant,
    OrderLine,
    Parcel,
    Person,
    ScanRow,
    Subscription,
    WaybillService,
)
from gateway.domain.record import Record
from gateway.store.lines import Key, Named, Plan, Read, matched, of_lines, statements


class Stale(Exception):
    """A row has come to hang on a parcel that was not locked: the batch begins again."""


OF_PARCEL: dict[type[Any], str] = {
    OrderLine: "order_line_of",
    Person: "person_of",
    Alias: "alias_of",
    Subscription: "subscription_of",
    ScanRow: "scan_of",
    Incident: "incident_of",
    Interception: "interception_of",
    Claim: "claim_of",
}
OF_INTERCEPTION: dict[type[Any], str] = {
    Attempt: "attempt_of",
    Evidence: "evidence_of",
    Job: "job_of",
    Exceptional: "exception_of",
}
OWNED = (AccountKind.AVAILABLE, AccountKind.HELD, AccountKind.AWARDED)
OWED = (AccountKind.FEES_PAYABLE, AccountKind.CLAIMS_RECEIVABLE)


class Keys:
    """Ids still to be loaded, each asked for once and in order."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def fresh(self, query: str, ids: Iterable[str]) -> list[str]:
        asked = set(ids)
        asked.discard("")
        if not asked:
            return []
        seen = self._seen.setdefault(query, set())
        new = sorted(asked - seen)
        seen.update(new)
        return new


def plan(book: Book, wants: list[Wants], now: int, machine_ms: int, *, shared: bool) -> Plan:
    """Load what the commands of a batch want; see Wants for what follows from what."""
    keys = Keys()

    def load(query: str, ids: Iterable[str], kind: type[Record]) -> Plan:
        new = keys.fresh(query, ids)
        if new:
            for row in (yield Read(query, {"keys": new}, kind)):
                book.load(row)

    def every(field: str) -> list[str]:
        return [key for want in wants for key in getattr(want, field)]

    jobs = yield from _due(wants, now, machine_ms)
    named = yield from statements(book, wants, load, shared=shared)
    locked: set[str] = set()
    if shared:
        locked, jobs = yield from _locked(every, jobs, named)
    for job in jobs:
        book.load(job)
    yield from load("load_request", every("requests"), Request)
    yield from load("load_transfer", every("transfers"), Transfer)
    yield from load("load_inbox", every("inbox"), Inbox)
    subjects = [r.subject for r in book.all(Request)]
    yield from load("load_award", every("awards"), Award)
    of_claims = [j.subject for j in jobs if j.kind in (JobKind.CLAIM, JobKind.CLAIM_FOLLOW)]
    of_awards = [award.claim for award in book.all(Award)]
    subjects += named.claims
    yield from load("load_claim", [*every("claims"), *of_claims, *of_awards, *subjects], Claim)
    yield from load("load_quote", every("quotes"), Quote)
    asked = [key for want in wants if of_family(want) for key in want.interceptions]
    asked += named.interceptions
    asked += [*subjects, *(j.subject for j in jobs), *(c.interception for c in book.all(Claim))]
    yield from load("load_interception", [*every("interceptions"), *asked], Interception)
    yield from load("load_alias_by_number", every("waybills"), Alias)
    yield from load("load_parcel_by_number", every("waybills"), Parcel)
    yield from _families(book, wants, load, every, set(asked))
    if shared and not _parcels(book) <= locked:
        raise Stale
    yield from _merchants(book, wants, load, every, shared=shared)
    yield from matched(book, named, load)
    yield from load("load_exception", every("exceptions"), Exceptional)


def _due(wants: list[Wants], now: int, machine_ms: int) -> Generator[Read, Any, list[Job]]:
    """Jobs whose time has come, and jobs whose holder has gone."""
    found: dict[str, Job] = {}
    for due in (want.due for want in wants if want.due is not None):
        kinds, busy = sorted(due.kinds), sorted(due.busy)
        ready = {"kinds": kinds, "now": now, "busy": busy, "limit": due.limit}
        rows = yield Read("jobs_due", ready, Job)
        if busy:  # what can no longer be sent is ended, whoever has room
            rows += yield Read("jobs_expired", {"now": now, "limit": due.limit}, Job)
        left = {"kinds": kinds, "machine_ms": machine_ms, "limit": due.limit}
        rows += yield Read("jobs_left", left, Job)
        for row in rows:
            found.setdefault(row.id, row)
    return list(found.values())


def _locked(
    every: Any, jobs: list[Job], billed: Named
) -> Generator[Read, Any, tuple[set[str], list[Job]]]:
    """Lock pushes and parcels, by key. Jobs of parcels that another writer is at are left to it;
    of the others, each as it stands now."""
    inbox = sorted(set(every("inbox")))
    if inbox:
        yield Read("lock_inbox", {"keys": inbox}, Key)
    named = {name: sorted(set(every(name))) for name in NAMING}
    for name, keys in (("interceptions", billed.interceptions), ("claims", billed.claims)):
        named[name] = sorted({*named[name], *keys})
    parcels = set(every("parcels"))
    if any(named.values()):
        parcels |= {row.id for row in (yield Read("parcels_of", named, Key))}
    if parcels:
        yield Read("lock_parcel", {"keys": sorted(parcels)}, Key)
    if not jobs:
        return parcels, []
    subjects = sorted({job.subject for job in jobs})
    rest: dict[str, list[str]] = {name: [] for name in NAMING}
    rows = yield Read("parcels_of", rest | {"interceptions": subjects, "claims": subjects}, Key)
    asked = sorted({row.id for row in rows} - parcels)
    parcels |= {row.id for row in (yield Read("lock_free_parcel", {"keys": asked}, Key))}
    ids = {"jobs": [job.id for job in jobs], "keys": sorted(parcels)}
    return parcels, (yield Read("jobs_of_parcels", ids, Job))


NAMING = ("requests", "quotes", "interceptions", "claims", "awards", "waybills")


def _parcels(book: Book) -> set[str]:
    """Every parcel that something in the book hangs on."""
    hanging: tuple[type[Any], ...] = (Quote, Interception, Claim, Alias)
    of = {row.parcel for kind in hanging for row in book.all(kind)}
    return of | {parcel.id for parcel in book.all(Parcel)}


def of_family(want: Wants) -> bool:
    """Whether it wants parcels, and not the interceptions it names alone."""
    return bool(want.of_parcel or want.parcels)


def _families(book: Book, wants: list[Wants], load: Any, every: Any, asked: set[str]) -> Plan:
    """Parcels and children. `asked` are the interceptions whose parcels may be wanted."""
    of_parcel = {kind for want in wants for kind in want.of_parcel}
    of_interception = {kind for want in wants for kind in want.of_interception}
    parcels = every("parcels")
    if of_parcel or parcels:
        parcels += [q.parcel for q in book.all(Quote)]
        parcels += [i.parcel for i in book.all(Interception) if i.id in asked]
        parcels += [a.parcel for a in book.all(Alias)]
        yield from load("load_parcel", parcels, Parcel)
    ids = [parcel.id for parcel in book.all(Parcel)]
    for kind, query in OF_PARCEL.items():
        if kind in of_parcel:
            yield from load(query, ids, kind)
    if Claim in of_parcel:
        yield from load("award_of", [claim.id for claim in book.all(Claim)], Award)
        of_claims = [claim.interception for claim in book.all(Claim)]
        yield from load("load_interception", of_claims, Interception)
        yield from load("job_of", [claim.id for claim in book.all(Claim)], Job)
    if Proof in of_parcel:
        yield from load("proof_of", [claim.id for claim in book.all(Claim)], Proof)
    interceptions = [interception.id for interception in book.all(Interception)]
    for kind, query in OF_INTERCEPTION.items():
        if kind in of_interception:
            yield from load(query, interceptions, kind)
    if Exceptional in of_interception:
        of_claims = [claim.id for claim in book.all(Claim)]
        others = [*every("claims"), *of_claims, *every("inbox"), *ids]
        yield from load("exception_of", others, Exceptional)


def _merchants(book: Book, wants: list[Wants], load: Any, every: Any, *, shared: bool) -> Plan:
    asked = every("merchants") + [quote.merchant for quote in book.all(Quote)]
    yield from load("load_merchant", asked, Merchant)
    yield from load("agreement_of", asked, Agreement)
    yield from load("waybill_service_of", asked, WaybillService)
    if not any(want.wallet for want in wants):
        return
    owners: dict[str, set[str]] = {}
    priced: list[Any] = [*book.all(Interception), *book.all(Quote), *book.all(Claim)]
    for row in priced:
        owners.setdefault(row.currency, set()).update((row.merchant, f"@{row.channel}"))
    for merchant in book.all(Merchant):
        owners.setdefault(merchant.currency, set()).add(merchant.id)
    ids = list(every("accounts"))
    ids += of_lines(book)
    for currency, names in owners.items():
        ids.append(account_id(AccountKind.OUTSIDE, "", currency))
        for name in names:
            kinds, owner = (OWED, name[1:]) if name.startswith("@") else (OWNED, name)
            ids += [account_id(kind, owner, currency) for kind in kinds]
    if shared:
        yield Read("lock_account", {"keys": sorted(set(ids))}, Key)
    yield from load("load_account", ids, Account)
