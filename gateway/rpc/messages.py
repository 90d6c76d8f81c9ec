"""Rows to messages, in one place. Nothing is decided here, and nothing is read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import LocalizedMessage
from google.type.money_pb2 import Money as WireMoney

from gateway.domain.carrier import Action, Milestone, Status
from gateway.domain.create import refund_advice
from gateway.domain.fees import Terms
from gateway.domain.interception import (
    Cancel,
    Decision,
    EventRow,
    Evidence,
    EvidenceKind,
    ExceptionKind,
    Interception,
    Money,
    Movement,
    Quote,
    State,
)
from gateway.domain.ledger import Account, AccountKind, Transfer, TransferKind
from gateway.domain.money import Money as Amount
from gateway.domain.parcel import Incident, OrderLine, Parcel, ScanRow
from gateway.domain.record import Record
from gateway.domain.refusal import Refusal
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from gateway.rpc import paging
from gateway.rpc.wording import words

SCANS_SHOWN = 200


Table = Mapping[str, Any]  # names to numbers of the wire


def numbers(kind: type[StrEnum], wire: EnumTypeWrapper, prefix: str) -> Table:
    """Domain value -> number of its name on the wire. A value the wire lacks is 0."""
    known = dict(wire.items())
    return {member.value: known.get(f"{prefix}_{member.name}", 0) for member in kind}


STATUS = numbers(Status, types.LogisticsStatus, "LOGISTICS_STATUS")
MILESTONE = numbers(Milestone, types.Milestone, "MILESTONE")
ACTION = numbers(Action, types.Action, "ACTION")
EVIDENCE = numbers(EvidenceKind, types.EvidenceKind, "EVIDENCE_KIND")
DECISION = numbers(Decision, intercepts.Decision, "DECISION")
MOVEMENT = numbers(Movement, intercepts.Movement, "MOVEMENT")
MONEY = numbers(Money, intercepts.MoneyState, "MONEY_STATE")
CANCEL = numbers(Cancel, intercepts.CancelState, "CANCEL_STATE")
STATE = numbers(State, intercepts.InterceptionState, "INTERCEPTION_STATE")
EXCEPTION = numbers(ExceptionKind, operations.ExceptionKind, "EXCEPTION_KIND")
ENTRY = {
    # which way it goes is told by its accounts
    **numbers(TransferKind, wallets.EntryKind, "ENTRY_KIND"),
    TransferKind.STATEMENT_CLAIM_BACK.value: wallets.ENTRY_KIND_STATEMENT_CLAIM,
    TransferKind.STATEMENT_UNMATCHED_CREDIT.value: wallets.ENTRY_KIND_STATEMENT_UNMATCHED,
}
ACCOUNT = numbers(AccountKind, wallets.Account, "ACCOUNT")
TIER: Mapping[int, Any] = {n: n for n in types.EvidenceTier.values()}
CAUSE: Table = dict(intercepts.MovementCause.items())
PATH: Table = dict(intercepts.Path.items())
ADVICE: Table = dict(intercepts.RefundAdvice.items())
COLUMN: Table = dict(intercepts.EventColumn.items())
INCIDENT: Table = dict(types.IncidentKind.items())
SOURCE: Table = dict(types.IncidentSource.items())


def time(ms: int) -> Timestamp | None:
    """None where there is none: 0, or a time that never comes."""
    if not 0 < ms < 2**58:
        return None
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def ms(value: Timestamp) -> int:
    return int(value.seconds) * 1000 + value.nanos // 1_000_000


def money(minor: int, currency: str) -> WireMoney:
    units, nanos = Amount(minor, currency).units()
    return WireMoney(currency_code=currency, units=units, nanos=nanos)


def short(merchant: str) -> str:
    """The caller's own name of a merchant: ids inside carry the tenant before it."""
    return merchant.split("/", 1)[1] if "/" in merchant else merchant


def spoken(reason: str) -> list[LocalizedMessage]:
    said = words(reason)
    if said is None:
        return []
    return [
        LocalizedMessage(locale="zh-CN", message=said[0]),
        LocalizedMessage(locale="en-US", message=said[1]),
    ]


def condition(reason: str, subject: str = "") -> types.Condition:
    return types.Condition(reason=reason, subject=subject, messages=spoken(reason))


def unmet(refusals: Iterable[Refusal]) -> list[types.Condition]:
    return [condition(r.why, r.subject or r.detail or r.field) for r in refusals]


# -- parcels ------------------------------------------------------------------------------


def orders(lines: Sequence[OrderLine], currency: str) -> list[types.Order]:
    found: dict[str, types.Order] = {}
    for row in lines:
        order = found.setdefault(
            row.order_no,
            types.Order(order_no=row.order_no, parcel_count=row.parcels, cancelled=row.cancelled),
        )
        line = order.lines.add(
            line_no=row.line_no, title=row.title, category=row.category, quantity=row.quantity
        )
        if row.paid_minor:
            line.paid_amount.CopyFrom(money(row.paid_minor, currency))
        if row.declared_minor:
            line.declared_amount.CopyFrom(money(row.declared_minor, currency))
        if row.list_minor:
            line.list_amount.CopyFrom(money(row.list_minor, currency))
    return list(found.values())


def value_minor(lines: Iterable[OrderLine]) -> int:
    return sum(line.value_minor for line in lines)


def scan(row: ScanRow) -> types.Scan:
    return types.Scan(
        waybill=row.waybill,
        milestone=MILESTONE[row.milestone],
        code=row.code,
        event_time=time(row.at),
        time_assumed=row.marked,
        received_at=time(row.arrived_at),
        place=row.place,
        evidence=types.Evidence(id=row.id, kind=types.EVIDENCE_KIND_TRACKING, tier=TIER[row.tier]),
    )


def incident(row: Incident) -> types.Incident:
    return types.Incident(
        id=row.id,
        kind=INCIDENT.get(f"INCIDENT_KIND_{row.kind.upper()}", 0),
        source=SOURCE.get(f"INCIDENT_SOURCE_{row.source.upper()}", 0),
        at=time(row.at),
        evidence=types.Evidence(id=row.evidence),
    )


@dataclass(frozen=True, slots=True)
class Family:
    """A parcel and what belongs to it."""

    parcel: Parcel
    lines: Sequence[OrderLine] = ()
    scans: Sequence[ScanRow] = ()
    numbers: Sequence[str] = ()
    incidents: Sequence[Incident] = ()
    interceptions: Sequence[Interception] = ()
    awarded_minor: int = 0


def parcel(family: Family, terms: Terms) -> types.Parcel:
    row = family.parcel
    contract = terms.contracts.get(row.channel)
    shown = sorted(family.scans, key=lambda s: (s.at, s.arrived_at))[-SCANS_SHOWN:]
    open_ = next((i.id for i in family.interceptions if i.open), "")
    declared = terms.tracker(row.channel, row.account, row.network) is None
    message = types.Parcel(
        id=row.id,
        merchant_id=short(row.merchant),
        carrier=row.channel,
        network=row.network,
        waybill=row.waybill,
        epoch=row.epoch,
        account=row.account,
        orders=orders(family.lines, row.currency),
        status=STATUS[row.declared if declared else row.status],
        status_at=time(row.registered_at if declared else row.status_at),
        status_declared=declared,
        declared_status=STATUS[row.declared],
        aliases=family.numbers,
        return_waybills=family.numbers,
        scans=[scan(s) for s in shown],
        incidents=[incident(i) for i in family.incidents],
        open_interception_id=open_,
        registered_at=time(row.registered_at),
    )
    if row.currency and family.lines:
        message.value.CopyFrom(money(value_minor(family.lines), row.currency))
    if contract is not None:
        left = max(0, contract.cap_minor - family.awarded_minor)
        message.cap.CopyFrom(money(contract.cap_minor, contract.currency))
        message.cap_remaining.CopyFrom(money(left, contract.currency))
    return message


# -- interceptions ------------------------------------------------------------------------


class Beside(Record, frozen=True):
    """What an interception shows of other rows, as the store reads it."""

    interception: str = ""
    order_nos: tuple[str, ...] = ()  # of each line, in the lines' order
    return_waybill: str = ""
    claim_ids: tuple[str, ...] = ()
    open_exceptions: int = 0


NOTHING = Beside()


def interception(row: Interception, terms: Terms, beside: Beside = NOTHING) -> Any:
    message = intercepts.Interception(
        id=row.id,
        merchant_id=short(row.merchant),
        parcel_id=row.parcel,
        carrier=row.channel,
        network=row.network,
        account=row.account,
        waybill=row.waybill,
        return_waybill=beside.return_waybill,
        action=types.ACTION_RETURN,
        order_nos=dict.fromkeys(beside.order_nos),
        decision=DECISION[row.decision],
        movement=MOVEMENT[row.movement],
        movement_cause=CAUSE.get(f"MOVEMENT_CAUSE_{row.failure}", 0),
        money=MONEY[row.money],
        cancel=CANCEL[row.cancel],
        state=STATE[row.state],
        path=PATH.get(f"PATH_{row.path.upper()}" if row.promised_at else "", 0),
        fee=money(row.fee_minor, row.currency),
        cap=money(row.cap_minor, row.currency),
        created_at=time(row.created_at),
        updated_at=time(row.updated_at),
        send_deadline=time(row.send_deadline),
        evidence_by=time(row.evidence_by),
        promised_at=time(row.promised_at),
        decided_at=time(row.decided_at),
        refused_reason=row.reason,
        carrier_code=row.carrier_code,
        carrier_reference=row.reference,
        assumed=row.assumed,
        quote_id=row.quote,
        request_id=row.request_id,
        cancel_ticket=row.cancel_ticket,
        refund_advice=advice(row, terms),
        agreement_id=row.agreement,
        version=row.version,
        open_exception_count=beside.open_exceptions,
        claim_ids=beside.claim_ids,
        quoted_status=STATUS[row.quoted_status],
    )
    if row.reason:
        message.refused_messages.extend(spoken(row.reason))
    return message


def advice(row: Interception, terms: Terms) -> Any:
    return ADVICE[f"REFUND_ADVICE_{refund_advice(row, terms)}"]


def evidence(row: Evidence | None) -> types.Evidence | None:
    if row is None:
        return None
    return types.Evidence(id=row.id, kind=EVIDENCE[row.kind], tier=TIER[row.tier])


def actor(name: str) -> str:
    return "gateway" if name == "system" else name


def event(position: int, row: EventRow, proof: Evidence | None) -> Any:
    found = evidence(proof)
    if found is None and row.evidence:
        found = types.Evidence(id=row.evidence)
    return intercepts.Event(
        cursor=str(position),
        interception_id=row.interception,
        seq=row.seq,
        column=COLUMN[f"EVENT_COLUMN_{row.col.upper()}"],
        from_value=row.source,
        to_value=row.target,
        evidence=found,
        actor=actor(row.actor),
        cause=row.cause.upper(),
        at=time(row.at),
    )


def quote(
    row: Quote, parcel_row: Parcel, lines: Sequence[OrderLine], awarded: int
) -> intercepts.Quote:
    """A quote that can be used."""
    fee = money(row.fee_minor, row.currency)
    line = intercepts.FeeLine(key="interception", amount=fee)
    line.messages.extend(
        [
            LocalizedMessage(locale="zh-CN", message="拦截服务费"),
            LocalizedMessage(locale="en-US", message="Interception fee"),
        ]
    )
    able = intercepts.ActionQuote(action=types.ACTION_RETURN, eligible=True, fee=fee, lines=[line])
    return intercepts.Quote(
        id=row.id,
        merchant_id=short(row.merchant),
        parcel_id=row.parcel,
        carrier=row.channel,
        network=parcel_row.network,
        waybill=parcel_row.waybill,
        actions=[able],
        status=STATUS[row.status],
        value=money(value_minor(lines), row.currency),
        cap=money(row.cap_minor, row.currency),
        cap_remaining=money(max(0, row.cap_minor - awarded), row.currency),
        created_at=time(row.created_at),
        expires_at=time(row.expires_at),
        price_locked_until=time(row.expires_at),
    )


# -- money --------------------------------------------------------------------------------


def wallet(merchant: str, currency: str, open_: bool, accounts: Iterable[Account]) -> Any:
    balances = {account.kind: account.balance or 0 for account in accounts}
    return wallets.Wallet(
        merchant_id=short(merchant),
        currency=currency,
        open=open_,
        available=money(balances.get(AccountKind.AVAILABLE, 0), currency),
        held=money(balances.get(AccountKind.HELD, 0), currency),
        awarded=money(balances.get(AccountKind.AWARDED, 0), currency),
    )


EXTERNAL = (TransferKind.TOP_UP, TransferKind.WITHDRAW, TransferKind.SETTLE_OFFLINE)


def entry(row: Transfer) -> wallets.LedgerEntry:
    external = row.kind in EXTERNAL
    return wallets.LedgerEntry(
        transaction_id=row.id,
        kind=ENTRY[row.kind],
        amount=money(row.amount, row.currency),
        source=ACCOUNT.get(row.source.split(":", 1)[0], 0),
        target=ACCOUNT.get(row.target.split(":", 1)[0], 0),
        at=time(row.at),
        interception_id=row.interception or "",
        award_id=row.award or "",
        external_reference=row.cause if external else "",
        actor=actor(row.actor),
        cause="" if external else row.cause.upper(),
    )


class CaseRow(Record, frozen=True):
    """An exception with what it is about: its subject may be of several kinds."""

    id: str
    kind: ExceptionKind
    detail: str
    opened_at: int
    closed_at: int | None
    closed_by: str
    resolution: str
    interception: str
    claim: str
    merchant: str
    channel: str
    waybill: str
    award: str
    statement: str
    line_no: int
    expected: int | None
    actual: int | None
    currency: str


NO_FILTER: Mapping[str, Any] = {
    **dict.fromkeys(("wanted", "channel", "merchant", "interception", "claim", "statement"), ""),
    "open": 0,
    "before": paging.POSITION_MAX,
    "cursor_at": 0,
    "cursor_id": "",
}


def exception(row: CaseRow) -> operations.ExceptionCase:
    message = operations.ExceptionCase(
        id=row.id,
        kind=EXCEPTION[row.kind],
        carrier=row.channel,
        merchant_id=short(row.merchant),
        waybill=row.waybill,
        interception_id=row.interception,
        claim_id=row.claim,
        note=row.detail,
        opened_at=time(row.opened_at),
        closed_at=time(row.closed_at or 0),
        closed_by=row.closed_by,
        closed_note=row.resolution,
        award_id=row.award,
        statement_id=row.statement,
        line_no=row.line_no,
    )
    if row.expected is not None:
        message.expected.CopyFrom(money(row.expected, row.currency))
    if row.actual is not None:
        message.actual.CopyFrom(money(row.actual, row.currency))
    return message
