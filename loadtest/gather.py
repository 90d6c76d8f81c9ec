"""Brings together, at the end of a run, what the gateway says and what really happened."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import aiohttp
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from gateway.pb.turnback.v1 import carrier_service_pb2 as carriers
from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest import client as wire
from loadtest.client import Client, fen, millis
from loadtest.evidence import Award, Claim, Entry, Exceptional, Interception, Rule, Step, Wallet
from loadtest.watch import step_of

PAGE = 200
PAGES_MAX = 10_000
TOGETHER = 16  # logs read at a time
PUSH_METRIC = "turnback_pushes_total{"
Row = TypeVar("Row")


def name(kind: EnumTypeWrapper, number: int, prefix: str) -> str:
    return kind.Name(number).removeprefix(prefix)


async def _pages(
    client: Client,
    method: wire.Method[wire.Answer],
    request: Message,
    rows: Callable[[wire.Answer], Iterable[Row]],
) -> list[Row]:
    found: list[Row] = []
    for _ in range(PAGES_MAX):
        answer = await client.call(method, request)
        found += rows(answer)
        token: str = answer.next_page_token  # type: ignore[attr-defined]
        if not token:
            return found
        request.page_token = token  # type: ignore[attr-defined]
    raise RuntimeError(f"{method.path}: no end of pages")


async def interceptions(client: Client) -> list[Interception]:
    shown = await _pages(
        client,
        wire.LIST,
        intercepts.InterceptServiceListRequest(page_size=PAGE),
        lambda answer: answer.interceptions,
    )
    gate = asyncio.Semaphore(TOGETHER)

    async def whole(one: intercepts.Interception) -> Interception:
        async with gate:
            return _interception(one, await log(client, one.id))

    return list(await asyncio.gather(*(whole(one) for one in shown)))


async def log(client: Client, interception_id: str) -> tuple[Step, ...]:
    request = intercepts.InterceptServiceListEventsRequest(
        interception_id=interception_id, page_size=PAGE
    )
    events = await _pages(client, wire.EVENTS, request, lambda answer: answer.events)
    return tuple(step_of(event) for event in events)


def _interception(shown: intercepts.Interception, steps: tuple[Step, ...]) -> Interception:
    return Interception(
        id=shown.id,
        request_id=shown.request_id,
        merchant=shown.merchant_id,
        carrier=shown.carrier,
        waybill=shown.waybill,
        decision=name(intercepts.Decision, shown.decision, "DECISION_"),
        movement=name(intercepts.Movement, shown.movement, "MOVEMENT_"),
        failure=name(intercepts.MovementCause, shown.movement_cause, "MOVEMENT_CAUSE_"),
        money=name(intercepts.MoneyState, shown.money, "MONEY_STATE_"),
        cancel=name(intercepts.CancelState, shown.cancel, "CANCEL_STATE_"),
        fee=fen(shown.fee),
        cap=fen(shown.cap),
        path=name(intercepts.Path, shown.path, "PATH_"),
        reason=shown.refused_reason,
        exceptions=shown.open_exception_count,
        version=shown.version,
        log=steps,
    )


async def offers(client: Client) -> dict[str, tuple[str, ...]]:
    """What each carrier can be asked, as the gateway tells it."""
    request = carriers.CarrierServiceListRequest(page_size=PAGE)
    shown = await _pages(client, wire.CARRIERS, request, lambda answer: answer.carriers)
    return {
        carrier.name: tuple(
            name(carriers.Operation, each.operation, "OPERATION_") for each in carrier.capabilities
        )
        for carrier in shown
    }


async def all_claims(client: Client) -> list[Claim]:
    request = claims.ClaimServiceListRequest(page_size=PAGE)
    shown = await _pages(client, wire.CLAIMS, request, lambda answer: answer.claims)
    return [
        Claim(
            id=claim.id,
            interception=claim.interception_id,
            carrier=claim.carrier,
            waybill=claim.waybill,
            kind=name(claims.ClaimKind, claim.kind, "CLAIM_KIND_"),
            order_no=claim.order_no,
            line_no=claim.line_no,
            loss=fen(claim.loss),
            state=name(claims.ClaimState, claim.state, "CLAIM_STATE_"),
            reference=claim.carrier_reference,
            limit=name(claims.ClaimLimit, claim.breakdown.limit, "CLAIM_LIMIT_"),
            awards=tuple(_award(award) for award in claim.awards),
        )
        for claim in shown
    ]


def _award(award: claims.Award) -> Award:
    return Award(
        id=award.id,
        amount=fen(award.amount),
        key=award.decision_key,
        at_ms=millis(award.awarded_at),
        channel=name(carriers.PayoutChannel, award.channel, "PAYOUT_CHANNEL_"),
        paid=fen(award.paid_amount),
    )


async def wallet(client: Client, merchant: str) -> Wallet:
    request = wallets.WalletServiceGetRequest(merchant_id=merchant)
    shown = (await client.call(wire.WALLET, request)).wallet
    return Wallet(merchant, fen(shown.available), fen(shown.held), fen(shown.awarded))


async def entries(client: Client, merchant: str) -> list[Entry]:
    """The merchant's whole ledger, in its order."""
    request = wallets.WalletServiceListEntriesRequest(merchant_id=merchant, page_size=PAGE)
    shown = await _pages(client, wire.ENTRIES, request, lambda answer: answer.entries)
    return [
        Entry(
            id=entry.transaction_id,
            merchant=merchant,
            kind=name(wallets.EntryKind, entry.kind, "ENTRY_KIND_"),
            amount=fen(entry.amount),
            interception=entry.interception_id,
            claim=entry.claim_id,
            award=entry.award_id,
        )
        for entry in shown
    ]


async def entry_totals(client: Client, merchant: str) -> dict[str, int]:
    """What each kind of ledger transaction has moved, in fen."""
    totals: dict[str, int] = {}
    for entry in await entries(client, merchant):
        totals[entry.kind] = totals.get(entry.kind, 0) + entry.amount
    return totals


async def exceptions(client: Client) -> list[Exceptional]:
    request = operations.OperationServiceListExceptionsRequest(page_size=PAGE, include_closed=True)
    cases = await _pages(client, wire.EXCEPTIONS, request, lambda answer: answer.exceptions)
    return [
        Exceptional(
            name(operations.ExceptionKind, case.kind, "EXCEPTION_KIND_"),
            case.interception_id,
            case.waybill,
            case.note,
        )
        for case in cases
    ]


async def audit(client: Client) -> list[Rule]:
    answer = await client.call(wire.AUDIT, operations.OperationServiceAuditRequest(row_limit=10))
    rules = []
    for rule in answer.rules:
        rows = tuple(
            (row.values.get("id", ""), row.values.get("fault", "it does not hold"))
            for row in rule.rows
        )
        more = rule.violation_count - len(rows)
        rows += (("", f"and {more} more"),) if more > 0 else ()
        rules.append(Rule(rule.name, rule.title, rows))
    return rules


async def pushes(metrics: str) -> dict[str, int]:
    """How many pushes the gateway counted, by carrier and outcome."""
    async with aiohttp.ClientSession() as session, session.get(f"{metrics}/metrics") as answer:
        text = await answer.text()
    counted: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith(PUSH_METRIC):
            labels, _, number = line.partition("} ")
            given = _labels(labels.removeprefix(PUSH_METRIC))
            counted[f"{given['channel']} {given['outcome']}"] = int(number.partition(".")[0])
    return counted


def _labels(text: str) -> Mapping[str, str]:
    pairs = (pair.partition("=") for pair in text.split(","))
    return {label: value.strip('"') for label, _, value in pairs}
