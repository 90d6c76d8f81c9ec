"""Kills the gateway at every commit point under load, and looks afterwards at what is left.

The gateway is a process on one store and one set of ports. It is armed with one fail point after
the other; each kills it with SIGKILL while interceptions run. Every call that went unanswered is
repeated with the same request_id. At the end the clock moves until all is settled, and what the
gateway holds is compared with what really happened at the carriers.
"""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest import client as wire
from loadtest.client import fen
from loadtest.crowd import (
    ACTS_MAX,
    BROKEN,
    MINUTE_MS,
    PROMISED,
    STEPS_MAX,
    UNDECIDED,
    UNDER_WAY,
    Case,
    Crowd,
)
from loadtest.fleet import Fleet, FleetError, Json
from loadtest.simulation import Simulation

START_MS = 1_781_740_800_000  # 18 June 2026 in Shanghai
OLD_MS = 181 * 24 * 60 * MINUTE_MS  # past the days that the gateway keeps what is personal
PURGED_MAX = 50  # parcels of one PurgePersonal
SETTLE_MS = 120 * MINUTE_MS  # least step of the clock at the end
ROUND_S = 90.0  # a gateway that hangs under one fail point
PAGE = 200
SHOWN_MAX = 20  # violations printed
KILLED = f"exit code {-signal.SIGKILL}"
BROKEN_MODULE = "turnback_broken"
BROKEN_ADAPTER = '''\
"""ZTO, but writing an interception and applying a push fail in ways that nobody foresaw."""
import hashlib
from dataclasses import replace
from adapters.zto import ADAPTER as ZTO
from gateway.domain.carrier import Delivery, Tier


def fail(order):
    raise RuntimeError("planted")


def senseless(push):
    return Delivery(hashlib.sha256(push.body).hexdigest(), 5)


INTERCEPT = replace(ZTO.intercept, encode=fail)
PUSH = replace(ZTO.push, verify=lambda push, credentials: Tier.T1, decode=senseless)
ADAPTER = replace(
    ZTO, name="broken", network="broken", hosts=(), intercept=INTERCEPT, push=PUSH
)
'''
SETTINGS: Json = {
    "limits": {"quote_read_ms": 150},  # so that a slow reading outlasts its quote
    "carriers": {"sf": {"limits": {"timeout_ms": 600}}, "zto": {"limits": {"timeout_ms": 600}}},
}
Act = Callable[[Crowd], Awaitable[object]]
ACTS: Mapping[str, Act] = {
    "UpsertMerchant": Crowd.merchant,
    "SignAgreement": Crowd.merchant,
    "SetWaybillService": Crowd.merchant,
    "TopUp": Crowd.merchant,
    "PurgePersonal": Crowd.merchant,  # by itself, of what is old when the gateway starts
    "RegisterParcel": Crowd.one,
    "MakeQuote": Crowd.one,
    "CreateInterception": Crowd.one,
    "Finish": Crowd.one,
    "before_socket": Crowd.one,
    "after_reply": Crowd.one,
    "CancelInterception": Crowd.withdrawal,
    "RecordTrack": Crowd.slow_quote,
    "Fumble": Crowd.poison,
    "QuarantinePush": Crowd.senseless_push,
    "FileClaim": Crowd.file_any,
    "FinishClaim": Crowd.file_with_carrier,
    "DecideClaim": Crowd.decide_any,
    "SettleOffline": Crowd.settle,
}  # any other point is met in the life of an interception
FIRST = (Crowd.senseless_push, Crowd.poison, Crowd.merchant)
LATER = {"LeaseDue": 1}  # the first lease of a process finds only what the last one left


class Target(Fleet):
    """The fleet, with one channel more whose adapter breaks."""

    def _configuration(self) -> Json:
        given = super()._configuration()
        zto = given["carriers"]["zto"]
        accounts = {
            name: {key: value for key, value in account.items() if key != "push_secret"}
            for name, account in zto["accounts"].items()
        }
        given["carriers"][BROKEN] = zto | {"adapter": BROKEN_MODULE, "accounts": accounts}
        return given

    async def _start(
        self, name: str, program: str, arguments: Sequence[str], extra: Mapping[str, str]
    ) -> Json:
        path = os.pathsep.join(filter(None, (str(self.directory), os.environ.get("PYTHONPATH"))))
        return await super()._start(name, program, arguments, {**extra, "PYTHONPATH": path})


@dataclass(slots=True)
class Row:
    """What one point did."""

    point: str
    kills: int = 0
    restarts: int = 0
    acknowledged: int = 0
    settled: int = 0
    violations: int = 0


@dataclass(slots=True)
class Run:
    """One run: the plan, the gateway that dies by it, and what came of it."""

    fleet: Target
    crowd: Crowd
    interceptions: int
    rows: dict[str, Row] = field(default_factory=dict)
    _round: int = 0
    _left: int = 0
    _over: bool = False
    _missed: asyncio.Event = field(default_factory=asyncio.Event)
    _next: asyncio.Event = field(default_factory=asyncio.Event)

    # -- killing ----------------------------------------------------------------------------

    async def kill(self, plan: Sequence[tuple[str, int]], told: Callable[[str], None]) -> None:
        """Die at each point of the plan; then live, and let every open call be answered."""
        self._left = len(plan)
        driver: asyncio.Task[None] | None = None
        for point, ordinal in plan:
            row = self.rows.setdefault(point, Row(point))
            self.crowd.point = point
            self.crowd.share = -(-(self.interceptions - len(self.crowd.cases)) // self._left)
            self._round += 1
            self._missed.clear()
            previous, self._next = self._next, asyncio.Event()
            previous.set()
            alive = await self._start(f"{point}#{ordinal}")
            driver = driver or asyncio.create_task(self._drive())
            if not alive or await self._dies(driver):
                row.kills += 1
                row.restarts += 1
            self._left -= 1
            told(point)
        self._over = True
        self._next.set()
        self.crowd.point = ""
        if not await self._start(""):
            raise FleetError(f"the gateway did not start again{self.fleet.tail('gateway')}")
        self.crowd.up.set()
        if driver is not None:
            await driver

    async def _start(self, point: str) -> bool:
        """False where the fail point was met before the gateway said that it is ready."""
        try:
            await self.fleet.start_gateway(point)
        except FleetError as error:
            if point and KILLED in str(error):
                return False
            raise
        return True

    async def _dies(self, driver: "asyncio.Task[None]") -> bool:
        """Whether the gateway dies by its fail point, and not by anything else."""
        self.crowd.up.set()
        ended = asyncio.create_task(self.fleet.gateway_ended(ROUND_S))
        missed = asyncio.create_task(self._missed.wait())
        waited: set[asyncio.Task[Any]] = {ended, missed, driver}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if driver.done():
                driver.result()
                raise FleetError("the clients ended too early")
            if ended.done():
                if ended.result() != -signal.SIGKILL:
                    self.crowd.wrong(f"the gateway ended with {ended.result()}")
                return True
        finally:
            self.crowd.up.clear()
            for task in (ended, missed):
                task.cancel()
            await asyncio.gather(ended, missed, return_exceptions=True)
        await self.fleet.kill_gateway()
        return False

    async def _drive(self) -> None:
        """Do what leads to the point that is armed, and load beside it, until all is over."""
        while not self._over:
            current, command = self._round, self.crowd.point.rpartition(":")[2]
            act = ACTS.get(command, Crowd.life)
            for _ in range(ACTS_MAX):
                load = [self.crowd.cohort()] if self.crowd.share > 0 else []
                await asyncio.gather(*load, act(self.crowd))
                if self._round != current or self._over:
                    break
            else:
                self._missed.set()
                await self._next.wait()

    # -- settling and looking ---------------------------------------------------------------

    async def settle(self) -> list[pb.Interception]:
        """Move the clock until nothing is open any more."""
        for _ in range(STEPS_MAX):
            found = await self._interceptions()
            claimed = await self._claims()
            waiting = [each for each in claimed if each.carrier != "sf" and _open(each)]
            if not waiting and all(map(settled, found)):
                return found
            await self.crowd.step(SETTLE_MS)
        return found

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

    async def look(self, found: Iterable[pb.Interception]) -> None:
        """Compare what the gateway holds with what was answered, and with what happened."""
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
        self._pushes(truth)
        audit = await self.crowd.ask(wire.AUDIT, operations.OperationServiceAuditRequest())
        for rule in audit.rules:
            if rule.violation_count:
                rows = [dict(each.values) for each in rule.rows[:2]]
                self.crowd.wrong(f"audit {rule.name}: {rule.violation_count} rows: {rows}", "audit")
        for point, _ in self.crowd.violations:
            if point in self.rows:
                self.rows[point].violations += 1

    async def _wallets(self, truth: Mapping[str, Json], claimed: Sequence[claims.Claim]) -> None:
        """Top-ups less the fees that are due, and the awards on top: to the cent."""
        right: dict[str, int] = dict(self.crowd.top_ups)
        owed: dict[str, int] = defaultdict(int)
        for case in self.crowd.cases:
            if truth[case.waybill]["fee"] == "charged":
                right[case.merchant] -= case.fee
        awards: dict[str, int] = defaultdict(int)
        for claim in claimed:
            awards[claim.waybill] += fen(claim.awarded)
            if claim.carrier == "zto":
                right[claim.merchant_id] += fen(claim.awarded)
            else:
                paid = self.crowd.settlements.get(claim.id, 0)
                owed[claim.merchant_id] += fen(claim.awarded) - paid
                if fen(claim.awarded) > fen(claim.loss) or len(claim.awards) > 1:
                    self.crowd.wrong(f"{claim.waybill}: awarded too much", "claims")
        for waybill, line in truth.items():
            granted = sum(each["granted_minor"] or 0 for each in line["claims"])
            if line["carrier"] == "zto" and granted != awards[waybill]:
                self.crowd.wrong(f"{waybill}: granted {granted}, got {awards[waybill]}", "claims")
        for key, amount in right.items():
            request = wallets.WalletServiceGetRequest(merchant_id=key)
            wallet = (await self.crowd.ask(wire.WALLET, request)).wallet
            has = (fen(wallet.available), fen(wallet.held), fen(wallet.awarded))
            if has != (amount, 0, owed[key]):
                self.crowd.wrong(f"{key}: {has} instead of {(amount, 0, owed[key])}", "wallets")

    def _pushes(self, truth: Mapping[str, Json]) -> None:
        """Every push that was acknowledged is in the inbox, and none waits there."""
        store = self.fleet.directory / "turnback.db"
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT channel, body, status FROM inbox").fetchall()
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


def push_ids(channel: str, body: bytes) -> Iterator[str]:
    """The carrier's own numbers of what a push tells."""
    told = json.loads(body)
    if channel == "sf":
        yield from (str(route["id"]) for route in told["Body"]["WaybillRoute"])
    else:
        yield str(json.loads(told["data"])["eventId"])


def turn(point: str) -> int:
    """Jobs that break wait for their leases; restarts that move no clock shorten that."""
    act = ACTS.get(point.rpartition(":")[2], Crowd.life)
    return FIRST.index(act) if act in FIRST else len(FIRST)


def known_points() -> list[str]:
    """Every point the gateway has, as it says itself."""
    program = Path(sys.executable).with_name("turnback")
    said = subprocess.run([program, "config", "points"], check=True, capture_output=True, text=True)
    return said.stdout.split()


def planned(points: Sequence[str], times: int) -> list[tuple[str, int]]:
    """What is old is erased when a gateway starts: its points come first, while there is any."""
    old = [point for point in points if point.endswith(":PurgePersonal")]
    others = sorted((point for point in points if point not in old), key=turn)
    return [(point, 1) for _ in range(times) for point in old] + [
        (point, nth + LATER.get(point.rpartition(":")[2], 0))
        for nth in range(1, times + 1)
        for point in others
    ]


async def run(
    points: Sequence[str],
    size: tuple[int, int],  # kills at each point, interceptions
    seed: int,
    keep: Path | None,
    told: Callable[[str], None],
) -> Run:
    """The whole of it, in a directory of its own."""
    times, interceptions = size
    with ExitStack() as stack:
        made = keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="turnback-crash-"))
        directory = Path(made)
        (directory / f"{BROKEN_MODULE}.py").write_text(BROKEN_ADAPTER, "utf-8")
        fleet = Target(directory, seed=seed, start_ms=START_MS - OLD_MS, settings=SETTINGS)
        async with fleet, Simulation(fleet.control) as simulation:
            crowd = Crowd(fleet, simulation, seed)
            crowd.channels += (BROKEN,)
            this = Run(fleet, crowd, interceptions)
            try:
                crowd.up.set()
                for _ in range(2):
                    await crowd.merchant()
                await crowd.forget(PURGED_MAX * times + 1)
                crowd.up.clear()
                await fleet.stop_gateway()
                await simulation.move(advance_ms=OLD_MS)
                await this.kill(planned(points, times), told)
                await this.look(await this.settle())
            finally:
                await crowd.close()
    return this


# -- reporting --------------------------------------------------------------------------------


def report(this: Run, times: int, as_json: bool) -> int:
    """Print what came of it. The exit code."""
    rows, violations = list(this.rows.values()), this.crowd.violations
    missed = [row.point for row in rows if row.kills < times]
    kills = sum(row.kills for row in rows)
    count = len(violations) + len(missed)
    if as_json:
        told = {
            "points": [asdict(row) for row in rows],
            "not_reached": missed,
            "interceptions": len(this.crowd.cases),
            "violations": [{"point": point, "what": what} for point, what in violations],
        }
        print(json.dumps(told, ensure_ascii=False))
    else:
        table = Table(
            Column("point", no_wrap=True), "kills", "starts", "created", "settled", "wrong"
        )
        for row in rows:
            note = row.point if row.kills >= times else f"{row.point} not reached"
            counts = (row.kills, row.restarts, row.acknowledged, row.settled, row.violations)
            table.add_row(note, *map(str, counts))
        Console().print(table)
        for point, what in violations[:SHOWN_MAX]:
            print(f"violation at {point or 'the end'}: {what}")
    print(f"crash: {len(rows)} points, {kills} kills, {count} violations")
    return 1 if count else 0


def command(
    points: Annotated[str, typer.Option(help="Only these, with commas between them.")] = "",
    times: Annotated[int, typer.Option(help="Kills at each point.", min=1, max=50)] = 3,
    interceptions: Annotated[int, typer.Option(help="At least so many.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="What chance is made of.")] = 7,
    keep: Annotated[Path | None, typer.Option(help="Work in this new directory; keep it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Kill the gateway at every commit point under load; nothing may be lost or doubled."""
    chosen = points.split(",") if points else known_points()
    strange = set(chosen) - set(known_points())
    if strange:
        print(f"there is no point called {', '.join(sorted(strange))}", file=sys.stderr)
        raise typer.Exit(2)
    if keep is not None:
        keep = keep.resolve()
        keep.mkdir(parents=True)
    total, done = times * len(chosen), 0
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("kills", total=total)

        def told(point: str) -> None:
            nonlocal done
            done += 1
            progress.update(bar, advance=1, description=point)
            if not console.is_terminal and not as_json:
                print(f"{done}/{total} {point}", flush=True)

        try:
            this = asyncio.run(run(chosen, (times, interceptions), seed, keep, told))
        except FleetError as error:
            print(f"crash: {error}", file=sys.stderr)
            raise typer.Exit(3) from None
    raise typer.Exit(report(this, times, as_json))
