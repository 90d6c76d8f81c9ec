"""Statements: taken in part by part, then matched, posted and judged a chunk at a time.

A part is a commit, and so is each chunk; how far a statement has come stands in its own row. So a
crash anywhere leaves what can be gone on with, and doing it twice is doing it once.
"""

from collections import defaultdict
from typing import Any

from gateway.domain.book import Book
from gateway.domain.claim import Award, Claim
from gateway.domain.command import Env, No, Replayed, Wants, fingerprint, repeated
from gateway.domain.fees import Terms
from gateway.domain.interception import Exceptional, ExceptionKind, Interception, Money, Request
from gateway.domain.posting import FAMILY, Shelf, match_line, unsaid, withdraw_line
from gateway.domain.record import Record, replace
from gateway.domain.refusal import Refusal, Why
from gateway.domain.reply import CHILDREN
from gateway.domain.statement import (
    CHUNK,
    Statement,
    StatementLine,
    StatementPart,
    Step,
    number_key,
    statement_id,
    total,
)

METHOD = "ImportStatement"


class Header(Record, frozen=True):
    """What every part of a statement says of the whole."""

    channel: str
    account: str
    sha256: str
    number: str
    period_from: int
    period_to: int
    total_minor: int
    currency: str
    parts: int
    corrects: str  # the number of the statement in whose place it comes, or ""


class Line(Record, frozen=True):
    """A line as it came."""

    line_no: int
    kind: Any
    reference: str
    waybill: str
    amount: int
    currency: str
    at: int

    def mark(self) -> str:
        said = (self.kind, self.reference, self.waybill, self.amount, self.currency)
        return fingerprint(*said)[:24]


class ReceivePart(Record, frozen=True):
    """One part. The last one to come has to make the total."""

    tenant: str
    request_id: str
    header: Header
    part: int
    lines: tuple[Line, ...]
    actor: str
    evidence: bool = True

    def wants(self) -> Wants:
        h = self.header
        key = statement_id(h.sha256)
        numbers = [number_key(h.channel, h.account, number) for number in (h.number, h.corrects)]
        return Wants(
            requests=(f"{self.tenant}/{self.request_id}",),
            statements=(key,),
            numbers=tuple(number for number in dict.fromkeys(numbers) if number[-1] != "/"),
            lines=tuple(f"{key}/{line.line_no}" for line in self.lines),
        )


class Received(Record, frozen=True):
    statement: Statement
    replayed: bool


def receive_part(book: Book, command: ReceivePart, env: Env, terms: Terms) -> Received | No:
    c, h = command, command.header
    if (h.channel, h.account) not in terms.accounts:
        return Refusal(Why.CARRIER_NOT_CONFIGURED, field="account")
    key = f"{c.tenant}/{c.request_id}"
    contents = fingerprint(*(part for line in c.lines for part in _said(line)))
    mark = fingerprint(*_told(h), c.part, contents)
    again = repeated(book.get(Request, key), METHOD, mark)
    if isinstance(again, Replayed):
        return Received(book.need(Statement, again.subject), True)
    if again is not None:
        return again
    found = book.get(Statement, statement_id(h.sha256))
    if found is not None:
        if (found.tenant, *_header(book, found)) != (c.tenant, *_told(h)):
            return Refusal(Why.STATEMENT_PARTS, field="sha256")
        part = book.get(StatementPart, f"{found.id}/{c.part}")
        if part is not None:  # the same file again, under another request id
            same = part.fingerprint == contents
            return Received(found, True) if same else Refusal(Why.STATEMENT_PARTS, field="lines")
    elif (refused := _unfit(book, h)) is not None:
        return refused
    statement = _taken(book, found or _new(book, c, env), c, contents, env)
    if statement is None:
        return Refusal(Why.STATEMENT_PARTS, field="lines.line_no")
    if statement.arrived == statement.parts:
        ended = _arrived(book, statement, env, terms)
        if isinstance(ended, Refusal):
            return ended
        statement = ended
    book.put(Request(key, METHOD, mark, statement.id, env.now))
    return Received(statement, False)


def _said(line: Line) -> tuple[object, ...]:
    return (line.line_no, line.mark(), line.at)


def _told(h: Header) -> tuple[object, ...]:
    return (
        h.channel,
        h.account,
        h.sha256,
        h.number,
        h.period_from,
        h.period_to,
        h.total_minor,
        h.currency,
        h.parts,
        h.corrects,
    )


def _header(book: Book, s: Statement) -> tuple[object, ...]:
    corrects = book.need(Statement, s.corrects).number if s.corrects else ""
    return (
        s.channel,
        s.account,
        s.sha256,
        s.number,
        s.period_from,
        s.period_to,
        s.total_minor,
        s.currency,
        s.parts,
        corrects,
    )


def _standing(book: Book, key: str) -> Statement | None:
    """The statement of this number that stands: arrived, and no other has come in its place."""
    rows = (row for row in book.all(Statement) if row.key == key and row.corrected is None)
    return next((row for row in rows if row.step is not Step.RECEIVING), None)


def _unfit(book: Book, h: Header) -> Refusal | None:
    """Why a new statement cannot be one, by its number and the one that it corrects."""
    holder = _standing(book, number_key(h.channel, h.account, h.number))
    if h.corrects:
        old = _standing(book, number_key(h.channel, h.account, h.corrects))
        if old is None:
            said = "no statement of this number stands: import it first, or correct the newest"
            return Refusal(Why.INVALID_FIELD, said, "corrects_statement_no")
        if old.step is not Step.POSTED:
            return Refusal(Why.INVALID_FIELD, "it is not posted yet", "corrects_statement_no")
    if holder is not None and h.number != h.corrects:
        said = "imported from another file: name it in corrects_statement_no to take its place"
        return Refusal(Why.INVALID_FIELD, said, "statement_no")
    return None


def _new(book: Book, c: ReceivePart, env: Env) -> Statement:
    h = c.header
    old = _standing(book, number_key(h.channel, h.account, h.corrects)) if h.corrects else None
    return Statement(
        id=statement_id(h.sha256),
        tenant=c.tenant,
        channel=h.channel,
        account=h.account,
        sha256=h.sha256,
        number=h.number,
        period_from=h.period_from,
        period_to=h.period_to,
        total_minor=h.total_minor,
        currency=h.currency,
        sum_minor=0,
        parts=h.parts,
        corrects=old.id if old else None,
        corrected=None,
        actor=c.actor,
        received_at=env.now,
        arrived=0,
        last_line=0,
        step=Step.RECEIVING,
        cursor=0,
        judged_to=0,
        awards_to=0,
        posted_at=0,
    )


def _taken(
    book: Book, statement: Statement, c: ReceivePart, contents: str, env: Env
) -> Statement | None:
    """The statement with one more part. None where a number of a line is used before."""
    key = f"{statement.id}/{c.part}"
    book.put(StatementPart(key, statement.id, c.part, len(c.lines), contents, env.now))
    for line in c.lines:
        key = f"{statement.id}/{line.line_no}"
        if book.get(StatementLine, key) is not None:
            return None
        book.put(
            StatementLine(
                id=key,
                statement=statement.id,
                part=c.part,
                line_no=line.line_no,
                kind=line.kind,
                reference=line.reference,
                waybill=line.waybill,
                amount=line.amount,
                currency=line.currency,
                at=line.at,
                mark=line.mark(),
            )
        )
    came = [book.need(StatementLine, f"{statement.id}/{line.line_no}") for line in c.lines]
    return book.put(
        replace(
            statement,
            sum_minor=statement.sum_minor + total(came, statement.currency),
            arrived=statement.arrived + 1,
            last_line=max(statement.last_line, *(line.line_no for line in came)),
        )
    )


def _arrived(book: Book, s: Statement, env: Env, terms: Terms) -> Statement | Refusal:
    """All parts are there: they make the total, and the statement can be posted."""
    if s.sum_minor != s.total_minor:
        return Refusal(Why.STATEMENT_TOTAL, field="total")
    taken = _taken_place(book, s)
    if taken is not None:
        return taken
    if s.corrects:
        old = book.need(Statement, s.corrects)
        if old.corrected is not None:
            return Refusal(Why.INVALID_FIELD, "another has corrected it", "corrects_statement_no")
        book.put(replace(old, corrected=s.id))
    contract = terms.contracts[s.channel]
    return book.put(
        replace(
            s,
            step=Step.ARRIVED,
            judged_to=min(s.period_to - contract.billed_within_ms, env.now),
            awards_to=min(s.period_to - contract.paid_within_ms, env.now),
        )
    )


def _taken_place(book: Book, s: Statement) -> Refusal | None:
    holder = _standing(book, s.key)
    if holder is None or holder.id in (s.id, s.corrects):
        return None
    return Refusal(Why.INVALID_FIELD, "imported from another file meanwhile", "statement_no")


# -- posting --------------------------------------------------------------------------------


class PostStatement(Record, frozen=True):
    """The next chunk of a statement that has arrived."""

    statement: str
    networks: tuple[str, ...]  # whose waybills its lines may name
    evidence: bool = True

    def wants(self) -> Wants:
        return Wants(
            statements=(self.statement,),
            posting=(self.statement,),
            networks=self.networks,
            of_parcel=FAMILY,
            of_interception=CHILDREN,
            wallet=True,
        )


def post_statement(book: Book, command: PostStatement, env: Env, terms: Terms) -> Statement | No:
    """A step further; the statement as it is then."""
    s = book.get(Statement, command.statement)
    if s is None:
        return Refusal(Why.INVALID_FIELD, "there is no such statement", "sha256")
    if s.step is Step.ARRIVED:
        refused = _taken_place(book, s)
        if refused is not None:
            return refused
        first = Step.WITHDRAWING if s.corrects else Step.MATCHING
        return book.put(replace(s, step=first))
    if s.step is Step.WITHDRAWING:
        return _chunk(book, s, book.need(Statement, s.corrects or ""), env, terms)
    if s.step is Step.MATCHING:
        return _chunk(book, s, s, env, terms)
    return s


NEXT = {Step.WITHDRAWING: Step.MATCHING, Step.MATCHING: Step.JUDGING}


def _chunk(book: Book, s: Statement, of: Statement, env: Env, terms: Terms) -> Statement:
    """The next lines of `of`: the statement's own, or those of the one that it corrects."""
    lines = [line for line in book.of(StatementLine, of.id) if line.line_no > s.cursor]
    lines.sort(key=lambda line: line.line_no)
    repeats = _repeats(book, s) if s.corrects else {}
    shelf = Shelf(book) if of is s else None
    for line in lines[:CHUNK]:
        if shelf is not None:
            match_line(book, shelf, s, line, repeats.get(line.id), env, terms)
        elif line.id not in repeats.values():
            withdraw_line(book, s, line, env)
    last = lines[:CHUNK][-1].line_no if lines else s.cursor
    if last >= of.last_line:
        return book.put(replace(s, step=NEXT[s.step], cursor=0))
    return book.put(replace(s, cursor=last))


def _repeats(book: Book, s: Statement) -> dict[str, str]:
    """Lines of a correction that say what lines of the old statement say, one for one."""
    old: defaultdict[str, list[StatementLine]] = defaultdict(list)
    new: defaultdict[str, list[StatementLine]] = defaultdict(list)
    for side, key in ((old, s.corrects or ""), (new, s.id)):
        for line in book.of(StatementLine, key):
            side[line.mark].append(line)
    pairs: dict[str, str] = {}
    for mark, lines in new.items():
        lines.sort(key=lambda line: line.line_no)
        before = sorted(old[mark], key=lambda line: line.line_no)
        pairs |= {line.id: one.id for line, one in zip(lines, before, strict=False)}
    return pairs


# -- judging --------------------------------------------------------------------------------


class JudgeStatement(Record, frozen=True):
    """What the statements up to this one should have said, and do not, as a reading has found:
    interceptions, or awards. Of no kind: nothing is left, and the statement is posted."""

    statement: str
    kind: ExceptionKind | None = None
    about: tuple[str, ...] = ()
    evidence: bool = True

    def wants(self) -> Wants:
        awards = self.kind is ExceptionKind.AWARD_UNPAID
        return Wants(
            statements=(self.statement,),
            interceptions=() if awards else self.about,
            awards=self.about if awards else (),
            exceptions=tuple(self.key(about) for about in self.about),
        )

    def key(self, about: str) -> str:
        return f"{self.kind}/{self.statement}/{about}"


def judge_statement(book: Book, command: JudgeStatement, env: Env, _: Terms) -> Statement | No:
    s = book.get(Statement, command.statement)
    if s is None:
        return Refusal(Why.INVALID_FIELD, "there is no such statement", "sha256")
    if s.step is not Step.JUDGING:
        return s
    if command.kind is None:
        return book.put(replace(s, step=Step.POSTED, posted_at=env.now))
    for about in command.about:
        if book.get(Exceptional, command.key(about)) is None:
            _missing(book, s, command.kind, about, env)
    return s


def _missing(book: Book, s: Statement, kind: ExceptionKind, about: str, env: Env) -> None:
    award = book.get(Award, about)
    ic = book.need(Interception, book.need(Claim, award.claim).interception if award else about)
    if kind is ExceptionKind.FEE_NOT_BILLED and ic.money is not Money.CAPTURED:
        return  # refunded since
    expected = award.amount if award else ic.fee_minor
    subject = f"{s.id}/{about}"
    unsaid(book, s, kind, subject, SAID[kind], ic, env, award=award, expected=expected, actual=0)


SAID = {
    ExceptionKind.FEE_NOT_BILLED: "captured, and no statement since has billed it",
    ExceptionKind.REFUND_NOT_CREDITED: "billed and refunded, and no statement since credits it",
    ExceptionKind.AWARD_UNPAID: "awarded, and no statement since pays it",
}
