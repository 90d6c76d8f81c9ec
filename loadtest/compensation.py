"""Claims: the merchant files what a broken promise costs, the desk decides where carriers cannot.

Where a carrier has no interface, the desk grants what the truth calls for, as that carrier would.
One that takes claims but cannot be asked about them tells people only: the desk enters its word.
"""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio

from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from loadtest import client as wire
from loadtest import telling
from loadtest.carriers import CARRIERS
from loadtest.client import yuan
from loadtest.drive import Driver
from loadtest.evidence import Filing
from loadtest.scenario import DAY_MS, Line, Order, Parcel

DESK_MS = 2 * DAY_MS  # from filing to decision
SLOW_DESK_MS = 5 * DAY_MS  # longer than a lost parcel takes to be found
AGAIN_MS = DAY_MS // 2  # to another look at what a carrier has decided
SETTLE_MS = DAY_MS  # from decision to payment
UNPACKED_MS = DAY_MS  # from the parcel's return to the merchant's look into it
CLAIM_QUERY = "CLAIM_QUERY"
DUE = {"LOST": "lost", "DAMAGED": "damaged", "RETURN_FAILED": "return_failed"}
OPEN = (
    claims.CLAIM_STATE_FILED,
    claims.CLAIM_STATE_UNDER_REVIEW,
    claims.CLAIM_STATE_PARTLY_AWARDED,
)


class Claimant:
    """Looks at what has become of the interceptions, and files each claim once."""

    def __init__(self, driver: Driver, parcels: Mapping[tuple[str, str], Parcel]) -> None:
        self._driver = driver
        self.parcels = parcels
        self._seen: set[tuple[str, str]] = set()
        self._spent: dict[tuple[str, str], int] = {}
        self.filings: dict[str, Filing] = {}
        self.refused: list[tuple[str, str]] = []  # waybill, why

    async def look(self) -> None:
        """File for what is new in the stream of events. Raises FleetError if there is none."""
        self._driver.watcher.check()
        for shown in list(self._driver.watcher.newest.values()):
            parcel = self.parcels[shown.carrier, shown.waybill]
            kind = telling.ground(shown, parcel.outcome)
            if kind is None or (shown.id, kind) in self._seen:
                continue
            self._seen.add((shown.id, kind))
            file = functools.partial(self._file_all, shown, kind)
            if kind == "DAMAGED":
                self._driver.later(self._driver.now_ms + UNPACKED_MS, file)
            else:
                await file()

    async def _file_all(self, shown: intercepts.Interception, kind: str) -> None:
        parcel = self.parcels[shown.carrier, shown.waybill]
        for order in parcel.orders:
            for line in order.lines:
                await self._file(shown, parcel, kind, order, line)

    async def _file(
        self,
        shown: intercepts.Interception,
        parcel: Parcel,
        kind: str,
        order: Order,
        line: Line,
    ) -> None:
        request = telling.filing(shown.id, parcel, kind, order, line)
        try:
            claim = (await self._driver.client.call(wire.FILE, request)).claim
        except grpc.aio.AioRpcError as error:
            self.refused.append((shown.waybill, f"{kind}: {error.details()}"))
            return
        self.adopt(
            Filing(
                claim=claim.id,
                carrier=parcel.carrier,
                waybill=parcel.waybill,
                kind=kind,
                loss=line.listed,
                value=line.value,
            )
        )

    def adopt(self, filing: Filing) -> None:
        """The desk will decide it, if it is the desk's: whoever filed it."""
        self.filings[filing.claim] = filing
        if CLAIM_QUERY not in self._driver.offers[filing.carrier]:
            slow = self.parcels[filing.carrier, filing.waybill].outcome == "lost_then_found"
            due_ms = self._driver.now_ms + (SLOW_DESK_MS if slow else DESK_MS)
            self._driver.later(due_ms, functools.partial(self._decide, filing.claim))

    def seen(self, interception: str, kind: str) -> None:
        """Somebody else has filed for this."""
        self._seen.add((interception, kind))

    # -- the desk, where the carrier's word does not come over its interface ---------------

    async def _decide(self, claim_id: str) -> None:
        driver, filing = self._driver, self.filings[claim_id]
        get = claims.ClaimServiceGetRequest(claim_id=claim_id)
        claim = (await driver.client.call(wire.CLAIM, get)).claim
        (truth,) = await driver.simulation.truth(carrier=filing.carrier, waybill=filing.waybill)
        key = (filing.carrier, filing.waybill)
        told = {line["biz_no"]: line["granted_minor"] for line in truth["claims"]}
        if claim.carrier_reference in told:
            granted = told[claim.carrier_reference]
        else:
            due = truth["claimable"] == DUE[filing.kind]
            spent = self._spent.get(key, 0)
            granted = self._granted(self.parcels[key], filing, spent) if due else 0
            self.filings[claim_id] = replace(filing, due=due, granted=granted)
        if granted is None:  # the carrier has not decided yet
            driver.later(driver.now_ms + AGAIN_MS, functools.partial(self._decide, claim_id))
            return
        if claim.state not in OPEN:
            return
        request = operations.OperationServiceDecideClaimRequest(
            request_id=f"decide/{claim_id}", claim_id=claim_id
        )
        if granted:
            self._spent[key] = self._spent.get(key, 0) + granted
            request.decision = operations.CLAIM_DECISION_AWARD
            request.granted.CopyFrom(yuan(granted))
            request.decision_key = f"{filing.carrier.upper()}-{claim_id[-12:]}"
        else:
            request.decision = operations.CLAIM_DECISION_REJECT
            request.note = "承运商核实后不予赔付"
        try:
            answer = await driver.client.call(wire.DECIDE, request)
        except grpc.aio.AioRpcError as error:
            self.refused.append((filing.waybill, f"decision: {error.details()}"))
            return
        if answer.HasField("award") and CARRIERS[filing.carrier].payout == "offline":
            pay = functools.partial(self._settle, claim_id, answer.award)
            driver.later(driver.now_ms + SETTLE_MS, pay)

    def _granted(self, parcel: Parcel, filing: Filing, spent: int) -> int:
        """What that carrier grants: never more than asked, than is left of the value."""
        params: Mapping[str, Any] = parcel.params
        most = int(params.get("grant_minor", parcel.value))
        granted = min(filing.loss, parcel.value - spent, most)
        mode = params.get("claim", "grant")
        return 0 if mode == "reject" else granted // 2 if mode == "partial" else granted

    async def _settle(self, claim_id: str, award: claims.Award) -> None:
        request = operations.OperationServiceRecordOfflineSettlementRequest(
            request_id=f"settle/{award.id}",
            claim_id=claim_id,
            award_id=award.id,
            amount=award.amount,
            reference=f"PAY-{award.id[-12:]}",
            settled_at=wire.stamp(self._driver.now_ms),
            note="承运商线下赔付到商家账户",
        )
        await self._driver.client.call(wire.SETTLE, request)
