"""CarrierService: what each carrier can do, on what terms, and how it is."""

from typing import Any

from google.protobuf.duration_pb2 import Duration

from gateway.domain.carrier import Adapter, Dedup, Grade, Promise
from gateway.domain.fees import Contract, Merged, OnCancel, Terms, UnlistedNo
from gateway.domain.refusal import Refusal, Why
from gateway.pb.turnback.v1 import carrier_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc import paging
from gateway.rpc.awarding import PAYOUT, complaints
from gateway.rpc.errors import refused
from gateway.rpc.messages import STATUS, Table, money, numbers
from gateway.rpc.shell import Call, Shell

OPERATIONS: Table = {
    "token": pb.OPERATION_TOKEN,
    "quote": pb.OPERATION_QUOTE,
    "track": pb.OPERATION_TRACK,
    "intercept": pb.OPERATION_INTERCEPT,
    "query": pb.OPERATION_QUERY,
    "cancel": pb.OPERATION_CANCEL,
    "cancel_order": pb.OPERATION_CANCEL_ORDER,
    "subscribe": pb.OPERATION_SUBSCRIBE,
    "claim": pb.OPERATION_CLAIM,
    "claim_query": pb.OPERATION_CLAIM_QUERY,
}
GRADE = numbers(Grade, types.Grade, "GRADE")
DEDUP = numbers(Dedup, pb.Dedup, "DEDUP")
PROMISE = numbers(Promise, pb.PromiseOn, "PROMISE_ON")
ON_CANCEL = numbers(OnCancel, pb.FeeOnCancel, "FEE_ON_CANCEL")
UNLISTED = numbers(UnlistedNo, pb.UnlistedNo, "UNLISTED_NO")
MERGED = numbers(Merged, pb.MergedBox, "MERGED_BOX")
BREAKER: Table = {
    name.removeprefix("BREAKER_STATE_").lower(): number for name, number in pb.BreakerState.items()
}
LEVEL: Table = {
    name.removeprefix("EVIDENCE_LEVEL_").lower(): number
    for name, number in pb.EvidenceLevel.items()
}
WORST = ("open", "half_open", "closed")


class CarrierService:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def List(
        self, request: pb.CarrierServiceListRequest, call: Call
    ) -> pb.CarrierServiceListResponse:
        mark, most = paging.mark("carriers"), paging.size(request.page_size)
        _, after = paging.cursor(request.page_token, mark)
        names = sorted(name for name in self._shell.terms.contracts if name > after)
        shown = [self._carrier(name) for name in names[:most]]
        more = paging.token(mark, 0, names[most - 1]) if len(names) > most else ""
        return pb.CarrierServiceListResponse(carriers=shown, next_page_token=more)

    async def Get(
        self, request: pb.CarrierServiceGetRequest, call: Call
    ) -> pb.CarrierServiceGetResponse:
        if request.name not in self._shell.terms.contracts:
            raise refused((Refusal(Why.CARRIER_NOT_CONFIGURED, field="name"),))
        return pb.CarrierServiceGetResponse(carrier=self._carrier(request.name))

    def _carrier(self, name: str) -> pb.Carrier:
        terms = self._shell.terms
        adapter = terms.adapters[name]
        return pb.Carrier(
            name=name,
            network=adapter.network,
            title=adapter.title,
            docs=adapter.docs,
            capabilities=capabilities(adapter),
            evidence_level=LEVEL.get(self._shell.levels.get(name, ""), 0),
            dedup=DEDUP[adapter.dedup.value],
            dedup_grade=GRADE[adapter.dedup.grade],
            tombstone=adapter.tombstone.value,
            tombstone_grade=GRADE[adapter.tombstone.grade],
            in_flight_bound=span(terms.in_flight_bound_ms(name)),
            in_flight_bound_grade=GRADE[adapter.in_flight_bound_ms.grade],
            reintercept=adapter.reintercept.value,
            unknown_waits=waits(adapter),
            complaint_channels=complaints(name, terms),
            health=self._health(name),
            contract=contract(terms.contracts[name], adapter, terms),
        )

    def _health(self, name: str) -> pb.CarrierHealth:
        """The carrier is as well as the worst of its accounts."""
        states = set(self._shell.worker.health(name).values())
        worst = next((state for state in WORST if state in states), "unspecified")
        return pb.CarrierHealth(breaker=BREAKER[worst])


def capabilities(adapter: Adapter) -> list[pb.Capability]:
    found = [
        pb.Capability(
            operation=number,
            grade=GRADE[operation.grade],
            repeatable=getattr(operation, "repeatable", True),
        )
        for name, number in OPERATIONS.items()
        if (operation := getattr(adapter, name)) is not None
    ]
    if adapter.push is not None:
        grade = GRADE[adapter.push.grade]
        found.append(pb.Capability(operation=pb.OPERATION_PUSH, grade=grade, repeatable=True))
    return found


def waits(adapter: Adapter) -> bool:
    """Nothing the carrier offers settles a lost answer by itself."""
    cancels = adapter.cancel is not None and not adapter.cancel_needs_reference
    settles = adapter.tombstone.value and cancels
    return adapter.dedup.value is Dedup.NONE and adapter.query is None and not settles


def span(milliseconds: int) -> Duration:
    return Duration(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def contract(row: Contract, adapter: Adapter, terms: Terms) -> pb.Contract:
    bands: list[Any] = [
        pb.FeeBand(
            status=STATUS[status], action=types.ACTION_RETURN, fee=money(minor, row.currency)
        )
        for status, minor in sorted(row.fees.items(), key=lambda band: STATUS[band[0]])
    ]
    return pb.Contract(
        currency=row.currency,
        fees=bands,
        cap=money(row.cap_minor, row.currency),
        window=sorted(STATUS[status] for status in adapter.window.value),
        promise_on=PROMISE[terms.promise_on(row.channel)],
        payout=PAYOUT[row.payout],
        value_basis=pb.VALUE_BASIS_LEAST,
        fee_on_cancel=ON_CANCEL[row.fee_on_cancel],
        unlisted_no=UNLISTED[row.unlisted_no],
        merged=MERGED[terms.policy.merged],
        refund_on_return_failed=row.refund_on_return_failed,
        quote_ttl=span(terms.policy.quote_valid_ms),
        send_deadline=span(row.send_deadline_ms),
        evidence_by=span(row.evidence_by_ms),
        claim_window=span(row.claim_window_ms),
        stale_after=span(row.stale_after_ms),
        fee_tolerance=money(row.fee_tolerance_minor, row.currency),
    )
