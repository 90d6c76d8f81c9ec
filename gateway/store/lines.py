"""What a command about statements needs: its rows, the next lines, and what of ours they name."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gateway.domain.book import Book
from gateway.domain.claim import Claim
from gateway.domain.command import Wants
from gateway.domain.interception import Exceptional, Interception
from gateway.domain.ledger import AccountKind, Transfer, account_id
from gateway.domain.record import Record
from gateway.domain.statement import (
    CHUNK,
    Difference,
    LineMatch,
    Statement,
    StatementLine,
    StatementPart,
    Step,
    Withdrawal,
)


@dataclass(frozen=True, slots=True)
class Read:
    """A named query, what it is asked, and the kind of its rows."""

    query: str
    params: dict[str, Any]
    kind: type[Record]


Plan = Generator[Read, Any, None]


class Key(Record, frozen=True):
    """Of a row that is only locked, or found."""

    PARENT: ClassVar[str] = ""
    id: str


@dataclass(slots=True)
class Named:
    """What the lines of a chunk may be about."""

    interceptions: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)


def statements(
    book: Book, wants: list[Wants], load: Any, *, shared: bool
) -> Generator[Read, Any, Named]:
    """Statements, locked where others may be at them, with the next lines of those that are being
    posted, and ids of what these name."""
    keys = sorted({key for want in wants for key in want.statements})
    numbers = sorted({key for want in wants for key in want.numbers})
    named = Named()
    if not keys and not numbers:
        return named
    if shared:
        yield Read("lock_statement", {"keys": keys, "numbers": numbers}, Key)
    yield from load("load_statement_by_number", numbers, Statement)
    yield from load("load_statement", keys, Statement)
    yield from load("load_statement", [s.corrects or "" for s in book.all(Statement)], Statement)
    posting = {key for want in wants for key in want.posting}
    received = [key for key in keys if key not in posting]
    yield from load("part_of", received, StatementPart)
    yield from load("load_statement_line", [k for w in wants for k in w.lines], StatementLine)
    for key in sorted(posting):
        found = book.get(Statement, key)
        if found is not None and found.step in (Step.WITHDRAWING, Step.MATCHING):
            yield from _chunk(book, found, load)
            for row in book.all(LineMatch):
                named.interceptions.append(row.interception or "")
                named.claims.append(row.claim or "")
    lines = book.all(StatementLine) if posting else []
    if lines:
        yield from _named(lines, sorted({n for want in wants for n in want.networks}), named)
    return named


def _chunk(book: Book, s: Statement, load: Any) -> Plan:
    """The next lines of a step; of a correction, also all that say the same on either side."""
    of = s.corrects if s.step is Step.WITHDRAWING else s.id
    page = {"statement": of, "after": s.cursor, "limit": CHUNK}
    lines = yield Read("lines_after", page, StatementLine)
    for line in lines:
        book.load(line)
    if s.corrects and lines:
        marks = sorted({line.mark for line in lines})
        like = {"keys": sorted((s.id, s.corrects)), "marks": marks}
        for line in (yield Read("lines_like", like, StatementLine)):
            book.load(line)
        old = [line.id for line in book.of(StatementLine, s.corrects)]
        yield from load("load_line_match", old, LineMatch)
        rows = [row for row in book.all(LineMatch) if row.statement == s.corrects]
        yield from load("load_transfer_by_id", [row.transfer or "" for row in rows], Transfer)
        roots = [row.carried or row.id for row in rows]
        yield from load("exception_of", roots, Exceptional)


def _named(lines: Iterable[StatementLine], networks: list[str], named: Named) -> Plan:
    names = sorted({line.reference for line in lines if line.reference})
    numbers = sorted({line.waybill for line in lines if line.waybill})
    asked = {"keys": names, "waybills": [f"{n}/{number}" for n in networks for number in numbers]}
    named.interceptions += [row.id for row in (yield Read("named_by_lines", asked, Key))]
    named.claims += [row.id for row in (yield Read("claimed_by_lines", asked, Key))]


def matched(book: Book, named: Named, load: Any) -> Plan:
    """Every line so far about what these lines name, and the exceptions that are open of it."""
    if not book.all(Statement):
        return
    billed, paid = set(named.interceptions), set(named.claims)
    interceptions = [row.id for row in book.all(Interception) if row.id in billed]
    claims = [row.id for row in book.all(Claim) if row.id in paid]
    yield from load("match_of_interception", interceptions, LineMatch)
    yield from load("match_of_claim", claims, LineMatch)
    rows = [row.id for row in book.all(LineMatch)]
    yield from load("load_statement_line", rows, StatementLine)
    yield from load("load_withdrawal", rows, Withdrawal)
    yield from load("exception_of", rows, Exceptional)
    yield from load("difference_of", interceptions, Difference)
    yield from load("difference_of_claims", claims, Difference)
    missed = [row.id for row in book.all(Difference)]
    yield from load("load_exception", missed, Exceptional)


def of_lines(book: Book) -> list[str]:
    """The accounts that the lines at hand move money between."""
    of: set[str] = set()
    channels = {s.channel for s in book.all(Statement)}
    for currency in {line.currency for line in book.all(StatementLine)}:
        for kind in (AccountKind.OUTSIDE, AccountKind.SUSPENSE):
            of.add(account_id(kind, "", currency))
        for channel in channels:
            for kind in (AccountKind.FEES_PAYABLE, AccountKind.CLAIMS_RECEIVABLE):
                of.add(account_id(kind, channel, currency))
    return sorted(of)
