"""The judge of a crash run: what the gateway holds against what was answered, and what happened.

Three witnesses, none of them the gateway's own code: the log of the clients, the simulator's ground
truth, and the rules of the audit. Only for pushes and attempts the ledger itself is looked into.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest import client as wire
from loadtest import ledger
from loadtest.carriers import CARRIERS
from loadtest.cases import BROKEN, MINUTE_MS, Case
from loadtest.client import fen
from loadtest.crowd import PROMISED, STEPS_MAX, UNDECIDED, UNDER_WAY, Crowd
from loadtest.fleet import Json
from loadtest.tally import Row

SETTLE_MS = 120 * MINUTE_MS  # least step of the clock at the end
QUIET_S = 60.0  # all is settled so soon after the last kill
PAGE = 200
INBOX = "SELECT channel, body, status FROM inbox"
ATTEMPTS = (
    "SELECT i.channel, i.waybill, a.started_ms FROM attempt a "
    "JOIN interception i ON i.id = a.interception WHERE a.kind = 'post' ORDER BY 1, 2, 3"
)
PUSH_IDS: Mapping[str, Callable[[Json], Iterable[object]]] = {
    "sf": lambda told: (route["id"] for route in told["Body"]["WaybillRoute"]),
    "zto": lambda told: (json.loads(told["data"])["eventId"],),
}
ARRIVES_MS = 250  # from the last look at the lease to the carrier, on a machine that is busy


class Judge:
    """Looks once, at the end."""

    def __init__(self, crowd: Crowd, rows: Mapping[str, Row], lease_ms: int) -> None:
        self.crowd = crowd
        self.rows = rows
        self.lease_ms = lease_ms
        self.quiet_s = 0.0

    async def settle(self) -> list[pb.Interception]:
        """Move the clock until nothing is open any more."""
        began = time.monotonic()
        for _ in range(STEPS_MAX):
            found = await self._interceptions()
            claimed = await self._claims()
            waiting = [each for each in claimed if _with_carrier(each) and _open(each)]
            if not waiting and all(map(settled, found)):
                break
            await self.crowd.step(SETTLE_MS)
        self.quiet_s = time.monotonic() - began
        return found

    async def look(self, found: Iterable[pb.Interception]) -> None:
        """Everything that can be compared, compared."""
        truth = {line["waybill"]: line for line in await self.crowd.simulation.truth()}
        by_waybill: dict[str, list[pb.Interception]] = defaultdict(list)
        for each in found:
            by_waybill[each.waybill].append(each)
        for case in self.crowd.cases:
            row = self.rows.get(case.point)
            if row is not None:
                row.acknowledged += 1
                row.settled += all(map(settled, by_waybill[case.waybill]))
            for what in faults(case, by_waybill[case.waybill], truth[case.waybill]):
                self.crowd.wrong(f"{case.waybill} ({case.kind.channel}): {what}", case.point)
        claimed = await self._claims()
        await self._wallets(truth, claimed)
        await self._pushes(truth)
        await self._attempts(truth)
        await self._audit()
        if self.quiet_s > QUIET_S:
            self.crowd.wrong(f"settled {self.quiet_s:.0f} s after the last kill", "quiet")
        for point, _ in self.crowd.violations:
            if point in self.rows:
                self.rows[point].violations += 1

    async def _interceptions(self) -> list[pb.Interception]:
        request = pb.InterceptServiceListRequest(page_size=PAGE)
        found: list[pb.Interception] = []
        while True:
            page = await self.crowd.ask(wire.LIST, request)
            found += page.interceptions
            request.page_token = page.next_page_token
            if not request.page_token:
                return found

    async def _claims(self) -> list[claims.Claim]:
        request = claims.ClaimServiceListRequest(page_size=PAGE)
        found: list[claims.Claim] = []
        while True:
            page = await self.crowd.ask(wire.CLAIMS, request)
            found += page.claims
            request.page_token = page.next_page_token
            if not request.page_token:
                return found

    async def _wallets(self, truth: Mapping[str, Json], claimed: Sequence[claims.Claim]) -> None:
        """Top-ups less the fees that are due, and the awards on top: to the cent."""
        right: dict[str, int] = dict(self.crowd.top_ups)
        owed: dict[str, int] = defaultdict(int)
        for case in self.crowd.cases:
            if truth[case.waybill]["fee"] == "charged":
                right[case.merchant] -= case.fee
        awards: dict[str, int] = defaultdict(int)
        takers = await self.crowd.takers()
        for claim in claimed:
            awards[claim.waybill] += fen(claim.awarded)
            if CARRIERS[claim.carrier].payout == "wallet":
                right[claim.merchant_id] += fen(claim.awarded)
            else:
                paid = self.crowd.settlements.get(claim.id, 0)
                owed[claim.merchant_id] += fen(claim.awarded) - paid
                if fen(claim.awarded) > fen(claim.loss) or len(claim.awards) > 1:
                    self.crowd.wrong(f"{claim.waybill}: awarded too much", "claims")
        for waybill, line in truth.items():
            granted = sum(each["granted_minor"] or 0 for each in line["claims"])
            if line["carrier"] in takers and granted != awards[waybill]:
                self.crowd.wrong(f"{waybill}: granted {granted}, got {awards[waybill]}", "claims")
        for key, amount in right.items():
            request = wallets.WalletServiceGetRequest(merchant_id=key)
            wallet = (await self.crowd.ask(wire.WALLET, request)).wallet
            has = (fen(wallet.available), fen(wallet.held), fen(wallet.awarded))
            if has != (amount, 0, owed[key]):
                self.crowd.wrong(f"{key}: {has} instead of {(amount, 0, owed[key])}", "wallets")

    async def _pushes(self, truth: Mapping[str, Json]) -> None:
        """Every push that was acknowledged is in the inbox, and none waits there."""
        rows = await ledger.rows(self.crowd.fleet.store_url, INBOX)
        kept = {
            key for channel, body, _ in rows if channel != BROKEN for key in push_ids(channel, body)
        }
        for line in truth.values():
            for push in line["pushes"]:
                if push["acknowledged"] and not push["forged"] and push["id"] not in kept:
                    self.crowd.wrong(f"{line['waybill']}: push {push['id']} is lost", "pushes")
        waiting = sum(status == "new" for _, _, status in rows)
        if waiting:
            self.crowd.wrong(f"{waiting} pushes were never applied", "pushes")

    async def _attempts(self, truth: Mapping[str, Json]) -> None:
        """No request without its attempt, written before it; none after the lease has lapsed."""
        rows = await ledger.rows(self.crowd.fleet.store_url, ATTEMPTS)
        by_waybill = {
            waybill: [started for _, _, started in attempts]
            for (_, waybill), attempts in groupby(rows, key=lambda row: row[:2])
        }
        for waybill, line in truth.items():
            seen = sorted(each["machine_ms"] for each in line["requests"].get("intercept", ()))
            for what in unfenced(seen, by_waybill.get(waybill, []), self.lease_ms + ARRIVES_MS):
                self.crowd.wrong(f"{waybill}: {what}", "fencing")

    async def _audit(self) -> None:
        """The rules, as a replica sees them with its leases, and as an operator does beside it."""
        audit = await self.crowd.ask(wire.AUDIT, operations.OperationServiceAuditRequest())
        for rule in audit.rules:
            if rule.violation_count:
                rows = [dict(each.values) for each in rule.rows[:2]]
                self.crowd.wrong(f"audit {rule.name}: {rule.violation_count} rows: {rows}", "audit")
        fleet = self.crowd.fleet
        command = ("audit", "--json", "--config", str(fleet.config_file))
        for finding in json.loads(await fleet.run_to_end(*command, good=(0, 1))):
            self.crowd.wrong(f"turnback audit {finding['rule']}: {finding['count']} rows", "audit")


def _with_carrier(claim: claims.Claim) -> bool:
    return claim.reviewer == claims.CLAIM_REVIEWER_CARRIER


def _open(claim: claims.Claim) -> bool:
    return claim.state in (claims.CLAIM_STATE_FILED, claims.CLAIM_STATE_UNDER_REVIEW)


def settled(each: pb.Interception) -> bool:
    """The decision, the fee and the way back are at their ends."""
    back = each.decision not in PROMISED or each.movement not in UNDER_WAY
    return each.decision not in UNDECIDED and each.money != pb.MONEY_STATE_HELD and back


def faults(case: Case, held: Sequence[pb.Interception], truth: Json) -> Iterator[str]:
    """What is wrong with one interception."""
    if len(case.answers) != 1 or len(held) != 1:
        yield f"{len(case.answers)} different answers, {len(held)} interceptions"
        return
    (each,), ((key, fee),) = held, case.answers
    if (each.id, fen(each.fee), each.request_id) != (key, fee, case.request_id) or fee != case.fee:
        yield f"acknowledged as {key} for {fee}, held as {each.id} for {fen(each.fee)}"
    if not settled(each):
        names = pb.Decision.Name(each.decision), pb.Movement.Name(each.movement)
        yield f"not settled: {names}, {each.open_exception_count} exceptions"
    ours = [one for one in truth["interceptions"] if not one["by_other"]]
    effects = sum(one["effects"] for one in ours)
    if effects > 1:
        yield f"{effects} effects at the carrier"
    charged = each.money == pb.MONEY_STATE_CAPTURED
    if charged != (truth["fee"] == "charged"):
        yield f"{pb.MoneyState.Name(each.money)}, but the fee is {truth['fee']}"
    if each.decision == pb.DECISION_LATE_ACCEPTED:
        yield "accepted after the fee went back"


def unfenced(seen: Sequence[int], started: Sequence[int], within_ms: int) -> Iterator[str]:
    """Requests that no attempt explains: each has one of its own, begun before it and not long
    before. Both are in order of time."""
    left = list(started)
    for arrived in seen:
        while left and arrived > left[0] + within_ms:
            left.pop(0)  # it was never sent, or what it sent was not seen
        if not left or left[0] > arrived:
            yield f"a request at {arrived} without an attempt that held its lease: {[*started]}"
        else:
            left.pop(0)


def push_ids(channel: str, body: bytes) -> Iterator[str]:
    """The carrier's own numbers of what a push tells."""
    yield from map(str, PUSH_IDS[channel](json.loads(body)))
