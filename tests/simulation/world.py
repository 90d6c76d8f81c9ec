"""One seed: the world it makes, everything that happens in it, and what is wrong at the end."""

import asyncio
import gc
import heapq
import sqlite3
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import structlog

from adapters import ADAPTERS
from gateway.config import Settings
from gateway.failpoints import CALL_POINTS
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.store.sqlite import migrate, path_of
from simulator.clock import VirtualClock
from simulator.depot import Account, Depot, Record
from simulator.dialects import DIALECTS
from simulator.outcomes import Operation, Outcome, Params, Scenario, Script, draw
from simulator.pushes import Pusher
from simulator.world import Contact, Journey, Parcel, ReturnNumber, Status
from tests.simulation import judge
from tests.simulation.auditor import Auditor
from tests.simulation.crowd import HOUR_MS, POOR, RECEIVER, RICH, SENDER, Crowd, Life
from tests.simulation.faults import PROCESS, PUSH, ROUND, strikes
from tests.simulation.gateway import Gateway, Gone, Outside
from tests.simulation.loop import Killed, Over, Stuck, VirtualLoop
from tests.simulation.straits import Straits
from tests.simulation.terms import (
    BOUND_MS,
    CARRIERS,
    TOKENS,
    Deal,
    Party,
    deals,
    parties,
    settings,
)
from tests.simulation.wire import Wire

MEMORY = Path("/dev/shm")  # a file system without a disk: durability is not tried here
BUSINESS_START = 1_790_000_000_000
MACHINE_START = 1_790_000_000_000
MINUTE_MS = 60_000
LIVES = 7  # that begin in a round, at most
TAIL = 9  # rounds after the last has begun
SETTLE_MAX = 90  # looks after the faults have ended
SETTLE_MS = 20 * 24 * HOUR_MS  # business time after the faults have ended
VIOLATIONS_MAX = 20
LEAPS = (MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 9 * HOUR_MS)
CRASHES = ("before_commit", "after_commit", *CALL_POINTS)
OUTCOMES = {
    Outcome.RETURNED: 30,
    Outcome.REFUSED: 10,
    Outcome.REFUSED_UNLISTED: 7,
    Outcome.ACCEPTED_BY_PUSH: 8,
    Outcome.LOST: 8,
    Outcome.DAMAGED: 5,
    Outcome.DELIVERED_ANYWAY: 8,
    Outcome.BUYER_REFUSED: 6,
    Outcome.INTERCEPTED_BY_OTHER: 10,
    Outcome.LOST_THEN_FOUND: 8,
    Outcome.DAMAGED_AFTER_RETURN: 4,
    Outcome.LATE_ACCEPT: 6,
    Outcome.TURNED_THEN_DELIVERED: 3,
    Outcome.LOST_THEN_DELIVERED: 4,
}
STANDS = {
    Status.NOT_PICKED_UP: 2,
    Status.PICKED_UP: 20,
    Status.IN_TRANSIT: 40,
    Status.AT_DESTINATION: 14,
    Status.OUT_FOR_DELIVERY: 8,
    Status.DELIVERED: 1,
}


@dataclass(frozen=True, slots=True)
class Result:
    seed: int
    size: int
    violations: tuple[tuple[str, str], ...]
    met: Counter[str]  # faults and edges, and how often each was met
    digest: str  # of everything that happened
    kills: int
    machine_s: float
    hard: bool  # with straits


@dataclass(slots=True)
class World:
    seed: int
    size: int
    directory: Path
    happy: bool = False  # without a single fault
    most: int = VIOLATIONS_MAX  # after so many no more is to be learnt
    carriers: tuple[str, ...] = CARRIERS  # the channels that play
    hard: bool = True  # with straits; seeds that were recorded before there were any have none
    now: int = BUSINESS_START
    jump_ms: int = 0  # what the wall's clock is off by
    violations: list[tuple[str, str]] = field(default_factory=list)
    met_: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    kills: int = 0
    stalls: int = 0
    jumped: bool = False  # forward: whoever started after it believed it
    gateway: Gateway | None = None
    loop: VirtualLoop = field(init=False)
    chance: Random = field(init=False)
    parties: dict[str, Party] = field(init=False)
    deals: dict[str, Deal] = field(init=False)
    settings: Settings = field(init=False)
    depot: Depot = field(init=False)
    clock: VirtualClock = field(init=False)
    pusher: Pusher = field(init=False)
    wire: Wire = field(init=False)
    auditor: Auditor = field(init=False)
    crowd: Crowd = field(init=False)
    straits: Straits = field(init=False)
    broken: set[str] = field(default_factory=set)  # whose carrier broke its own bound
    _pace: Random = field(init=False)
    _fatal: int = 0  # fail points until the next crash; 0 never
    _fatal_kind: str = ""  # only these count; "" all
    _refusing_until: float = 0.0
    _out_until: float = 0.0  # the same in a strait: no shorter refusal ends it
    _chaos: bool = False
    _ids: int = 0
    _incarnations: int = 0
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)
    _graveyard: list[Gateway] = field(default_factory=list)  # nothing of the dead is finalised

    def __post_init__(self) -> None:
        self.chance, self._pace = self.stream("world"), self.stream("pace")
        self.loop = VirtualLoop(self.pace)
        self.straits = Straits(self, self.stream("straits"), self.hard and not self.happy)
        self.parties = parties(self.carriers, orders=self.straits.on)
        self.deals = deals(self.chance, self.carriers)
        self.settings = settings(self.directory / "turnback.db", self.deals, self.parties)
        faults = {} if self.happy else dict(PUSH)
        self.depot = Depot(self.seed, Scenario(faults=faults))
        self.clock = VirtualClock(self.now, 1.0, True, lambda: self.loop.time() * 1000)
        self.wire = Wire(self, self.stream("wire"))
        self.pusher = Pusher(self.depot, self.clock, DIALECTS, self.wire.post)
        self.auditor = Auditor(self)
        self.crowd = Crowd(self, self.stream("crowd"), calm=self.happy)
        for channel, one in self.parties.items():
            url = f"http://gateway/push/{channel}/main/{one.secret}"
            known = DIALECTS[channel].network
            account = Account(channel, one.user, one.keys, url, one.options, known)
            self.depot.put_account(account)

    def stream(self, name: str) -> Random:
        return Random(f"{self.seed}/{name}")

    # -- what everybody is given ----------------------------------------------------------

    def wall_ms(self) -> int:
        return MACHINE_START + int(self.loop.time() * 1000) + self.jump_ms

    def new_id(self) -> str:
        self._ids += 1
        return f"{self.wall_ms():012x}{self._incarnations:08x}{self._ids:06x}"

    def nonce(self) -> str:
        self._ids += 1
        return f"nonce-{self._ids:08}"

    def pace(self) -> tuple[float, float]:
        """How long a piece of work waits for its thread, and its result for the loop."""
        chance = self._pace
        if self._chaos and strikes(chance, PROCESS["store_slow"]):
            self.met("process.store_slow")
            slow = chance.choice((0.3, 1.0, 3.0, 25.0))
            return (slow, 0.0) if chance.random() < 0.5 else (0.0, slow)
        if chance.random() < 0.8:
            return 0.0, 0.0
        return chance.uniform(0.0, 0.004), chance.uniform(0.0, 0.004)

    def point(self, gateway: Gateway, name: str) -> None:
        """A fail point of the gateway: it may die here, or its store may refuse."""
        if not self._chaos:
            return
        kind = name.split(":")[0]
        if self._fatal and self._fatal_kind in ("", kind):
            self._fatal -= 1
            if not self._fatal:
                self.met(f"crash.{kind}")
                self.met(f"killed at {name}")
                self._kill(gateway)
                raise Killed
        if kind == "before_commit":
            if strikes(self._pace, PROCESS["store_refuses"]):
                self.met("process.store_refuses")
                self._refusing_until = self.loop.time() + self._pace.uniform(0.05, 5.0)
            if self.loop.time() < max(self._refusing_until, self._out_until):
                raise sqlite3.OperationalError("disk I/O error")

    def refuse(self, seconds: float) -> None:
        """The store takes nothing for so long."""
        self._out_until = self.loop.time() + seconds

    def met(self, name: str) -> None:
        self.met_[name] += 1
        self.note("met", name)

    def wrong(self, rule: str, what: str) -> None:
        self.note("wrong", rule, what)
        self.violations.append((rule, what))
        if len(self.violations) >= self.most:
            self.loop.end()

    def note(self, *what: object) -> None:
        self.notes.append(f"{self.loop.time():.6f} {self.now} {' '.join(map(str, what))}")

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of nobody's process."""
        task = self.loop.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended, context=Context())
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.wrong("simulation", f"{type(error).__name__}: {error}")

    # -- time -----------------------------------------------------------------------------

    async def later(self, ms: int) -> None:
        """Business time has to pass."""
        future: asyncio.Future[None] = self.loop.create_future()
        heapq.heappush(self._waiting, (self.now + ms, len(self.notes), future))
        self.note("waits", ms)
        await future

    def advance(self, ms: int) -> None:
        self.now += ms
        self.note("advance", ms)
        self.clock.change(set_ms=self.now)
        if self.gateway is not None and self.gateway.process.alive:
            self.gateway.follow(self.now)
        while self._waiting and self._waiting[0][0] <= self.now:
            heapq.heappop(self._waiting)[2].set_result(None)
        self.spawn(self.pusher.drain())

    # -- the gateway ----------------------------------------------------------------------

    async def start(self) -> None:
        """Again and again, until one lives."""
        while self.gateway is None:
            self._incarnations += 1
            outside = Outside(
                self.loop, self.wall_ms, self.new_id, self.nonce, self.point, self.wire.send
            )
            gateway = Gateway(outside, self.settings, self.now)
            self._graveyard.append(gateway)
            self.gateway = gateway
            self.note("start", self._incarnations)
            if await gateway.start():
                self.spawn(self._watch(gateway))
            else:
                self.gateway = None
                await asyncio.sleep(0.1)

    def _kill(self, gateway: Gateway | None) -> None:
        if gateway is None or not gateway.process.alive or not self._chaos:
            return
        self.note("kill")
        self.kills += 1
        self._fatal = 0
        if self.gateway is gateway:
            self.gateway = None
        gateway.kill()

    async def _watch(self, gateway: Gateway) -> None:
        """One stream from where the last one ended."""
        while gateway.process.alive:
            request = pb.InterceptServiceWatchRequest(cursor=self.auditor.cursor)
            if not request.cursor:
                request.from_start = True
            await gateway.watch(request, TOKENS["tenant"], self._heard)
            await asyncio.sleep(0.1)

    def _heard(self, raw: bytes) -> None:
        """Claims follow what a merchant sees in the stream."""
        message = self.auditor.heard(raw)
        shown = message.interception
        if not message.HasField("event") or message.event.column != pb.EVENT_COLUMN_MOVEMENT:
            return
        life = self.crowd.lives[shown.carrier, shown.waybill]
        kind = CLAIMS.get(message.event.to_value)
        if kind is None:
            return
        self.spawn(self._claim(life, shown.id, kind))

    async def _claim(self, life: Life, interception: str, kind: str) -> None:
        self.crowd.at_work += 1
        try:
            await self.later(self.chance.randrange(2 * HOUR_MS))
            await self.crowd.claim(life, interception, kind)
        finally:
            self.crowd.at_work -= 1

    # -- the course of a seed -------------------------------------------------------------

    async def run(self) -> None:
        await self.start()
        for amount in (RICH, RICH, POOR):
            await self.crowd.open(amount)
        self._chaos = not self.happy
        left = self.size
        tail = TAIL
        while left > 0 or tail > 0:
            usual = self.chance.randrange(1, LIVES + 1)
            hard = self.straits.draw() if left else 0
            begun = min(left, hard or usual)
            for _ in range(begun):
                self.begin()
            left -= begun
            tail -= not left
            await (self.straits.pass_through() if hard else self._round())
        self._chaos = False
        await self._settle()

    def begin(self) -> None:
        life = self.ship()
        self.crowd.lives[life.channel, life.waybill] = life
        self.spawn(self._life(life))

    async def _life(self, life: Life) -> None:
        self.crowd.at_work += 1
        try:
            await self.crowd.live(life)
        finally:
            self.crowd.at_work -= 1

    async def _look(self) -> None:
        self.crowd.at_work += 1
        try:
            await self.crowd.look()
        except Gone:
            return
        finally:
            self.crowd.at_work -= 1

    async def _round(self) -> None:
        chance, wire = self.chance, self.wire
        wire.down = wire.silent = ""
        wire.deaf = wire.deaf if chance.random() < 0.6 else ""
        wire.share = chance.choice((0, 100_000, 250_000, 500_000)) if self._chaos else 0
        wire.rough = self._chaos
        if self._chaos:
            await self._misfortune()
        for _ in range(8 if wire.deaf else chance.randrange(1, 4)):
            await asyncio.sleep(chance.choice((0.02, 0.1, 0.4, 2.5)))
            if wire.deaf and chance.random() < 0.12:
                self.stall(BOUND_MS / 1000)
            self.advance(chance.choice((500, 1_500, 6_000, 30_000, 120_000)))
        if self.gateway is None:
            await self.start()
        if chance.random() < 0.8:
            await self.rest(8.0)
        if chance.random() < 0.2:
            self.spawn(self._look())
        self.advance(MINUTE_MS if wire.deaf else chance.choice(LEAPS))
        if chance.random() < 0.15:
            await self.audit()

    async def _misfortune(self) -> None:
        chance = self.chance
        for name, share in ROUND.items():
            if not strikes(chance, share):
                continue
            self.met(f"round.{name}")
            match name:
                case "killed":
                    self.loop.call_later(chance.uniform(0.0, 3.0), self._kill, self.gateway)
                case "crash_armed":
                    self._fatal_kind = chance.choice(("", *CRASHES))
                    self._fatal = chance.randrange(1, 4 if self._fatal_kind else 40)
                case "stopped":
                    await self._restart()
                case "paused":
                    self.loop.call_later(chance.uniform(0, 2), self.stall, self._span())
                case "outage":
                    self.wire.down = chance.choice(self.carriers)
                case "silence":
                    self.wire.silent = chance.choice(self.carriers)
                case "deaf":
                    self.wire.deaf = chance.choice(self._often_deaf())
                case "clock_forward":
                    self._jump(HOUR_MS)
                case "clock_back":
                    self._jump(-HOUR_MS)
                case "business_leap":
                    self.advance(chance.choice((HOUR_MS, 30 * HOUR_MS)))

    def _often_deaf(self) -> tuple[str, ...]:
        """Twice as often one that can be asked: its silence about a request is the harder case."""
        return self.carriers + tuple(n for n in self.carriers if ADAPTERS[n].query is not None)

    def _span(self) -> float:
        return self.chance.uniform(5.0, 60.0)

    def stall(self, seconds: float) -> None:
        self.stalls += 1
        self.loop.stall(seconds)

    def _jump(self, ms: int) -> None:
        self.jump_ms += ms
        self.jumped = self.jumped or ms > 0

    async def _restart(self) -> None:
        gateway, self.gateway = self.gateway, None
        if gateway is not None:
            await gateway.stop()
        await self.start()

    async def rest(self, most_s: float) -> bool:
        """Until nothing is under way, or for so long."""
        end = self.loop.time() + most_s
        wait_s = 0.1
        while self.loop.time() < end:
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, 2.0)
            if self.gateway is None:
                await self.start()
            elif not self.wire.busy:
                found = await self.gateway.finished(self.gateway.worker.idle())
                if found is not None and found.idle:
                    return True
        return False

    async def audit(self) -> None:
        gateway = self.gateway
        if gateway is None:
            return
        for finding in await gateway.finished(gateway.store.audit()) or ():
            self.wrong(f"inv.{finding.rule}", f"{finding.title}: {finding.rows[:2]}")

    async def _settle(self) -> None:
        """The faults are over: everything must come to its end by itself."""
        self.crowd.calm = True
        self._fatal, self._refusing_until = 0, 0.0
        self.wire.share, self.wire.rough = 0, False
        self.wire.down = self.wire.silent = self.wire.deaf = ""
        if self.met_[
            "round.clock_back"
        ]:  # until times that were written before the clock was set are past
            self.loop.stall(HOUR_MS / 1000 * self.met_["round.clock_back"])
        await self.start()
        began, machine_s = self.now, self.loop.time()
        for look in range(SETTLE_MAX):
            await self.rest(20.0)
            over = judge.arrived(self) and not self.crowd.at_work and not self._waiting
            if over and not judge.unsettled(self):
                break
            self.advance(MINUTE_MS * 10 if look < 6 else 9 * HOUR_MS)
        else:
            for what in judge.unsettled(self):
                self.wrong("inv.L1", what)
            if self.crowd.at_work or self._waiting:
                waits = f"{self.crowd.at_work} clients, {len(self._waiting)} for the clock"
                self.wrong("inv.L1", f"never answered: {waits}")
            if not judge.arrived(self):
                self.wrong("inv.L1", "a parcel is still on its way")
        await self.crowd.settle_all()
        await self.rest(60.0)
        self.note("settled", self.now - began, self.loop.time() - machine_s)
        for _ in range(40):  # a slow reading may keep the stream's last word
            if judge.heard(self):
                break
            await asyncio.sleep(1.0)
        await self.audit()
        judge.judge(self)
        if self.gateway is not None:
            await self.gateway.stop()

    # -- parcels --------------------------------------------------------------------------

    def ship(self) -> Life:
        """A parcel on its way, with a destiny."""
        chance, number = self.chance, self.crowd.next()
        channel = self.straits.carrier or chance.choice(tuple(self.deals))
        one = self.parties[channel]
        account = self.depot.accounts[channel, one.user]
        dialect = one.carrying
        waybill = f"{number:012}" if channel == "zto" else dialect.number(6 * 10**12 + number)
        renumbered = chance.choice((dialect.return_number, *ReturnNumber))
        back = dialect.number(draw(self.seed, channel, waybill, "return"))
        pace = chance.choice((4, 8, 16))
        plan = Journey(*(step * pace // 16 for step in Journey().steps()))
        (stand,) = chance.choices(tuple(STANDS), tuple(STANDS.values()))
        (outcome,) = chance.choices(tuple(OUTCOMES), tuple(OUTCOMES.values()))
        if outcome is Outcome.LATE_ACCEPT and not one.tells_late:
            outcome = Outcome.RETURNED
        lot = self.straits.lot(channel, plan)
        ago_ms = plan.middle_of(stand) if lot is None else lot.shipped_ago_ms
        outcome = outcome if lot is None else lot.outcome
        if not one.renumbers:
            renumbered = ReturnNumber.SAME
        if outcome is Outcome.LATE_ACCEPT:  # the one push that tells a new number may be lost
            renumbered = ReturnNumber.SAME
        parcel = Parcel(
            channel,
            account.name,
            waybill,
            f"order-{number}",
            self.now - ago_ms,
            Contact(*(SENDER[name] for name in CONTACT)),
            Contact(*(RECEIVER[name] for name in CONTACT)),
            45_000,
            renumbered,
            waybill if renumbered is ReturnNumber.SAME else back,
            plan,
            network=one.network,
        )
        # nobody but a push tells that what was refused has been accepted after all
        watched = self.now if outcome is Outcome.LATE_ACCEPT or chance.random() < 0.45 else None
        destiny = self._destiny()
        if lot is not None:
            watched, destiny = self.now if lot.watched else None, destiny | dict(lot.destiny)
        record = Record(parcel, account, Script(outcome, Params(destiny)), watched)
        self.depot.add([record])
        self.pusher.watch(record)
        merchant = chance.choice(self.crowd.merchants)
        return Life(number, channel, merchant, waybill, record, one.network, one.code)

    def _destiny(self) -> dict[str, Any]:
        """How long everything takes in this parcel's story."""
        chance = self.chance
        given: dict[str, Any] = {
            "after_ms": chance.choice((0, 30_000, 5 * MINUTE_MS, HOUR_MS)),
            "turn_ms": chance.choice((0, 10 * MINUTE_MS, 2 * HOUR_MS)),
            "return_ms": chance.choice((2, 8, 24)) * HOUR_MS,
            "lost_ms": chance.choice((10 * MINUTE_MS, HOUR_MS, 5 * HOUR_MS)),
            "found_ms": chance.choice((HOUR_MS, 12 * HOUR_MS, 60 * HOUR_MS)),
            "damaged_ms": HOUR_MS,
            "deliver_ms": chance.choice((10 * MINUTE_MS, 3 * HOUR_MS)),
            "claim_ms": chance.choice((HOUR_MS, 20 * HOUR_MS)),
            "claim": chance.choice(("grant", "grant", "grant", "grant", "partial", "reject")),
            "when": chance.choice(("reply", "later")),
        }
        return given


CONTACT = ("name", "phone", "province", "city", "district", "street")
CLAIMS = {"LOST": "LOST", "RETURN_FAILED": "RETURN_FAILED", "RETURNED": "DAMAGED"}


def play(
    seed: int,
    size: int,
    most: int = VIOLATIONS_MAX,
    carriers: tuple[str, ...] = CARRIERS,
    hard: bool = True,
) -> Result:
    """A seed in a directory that is gone afterwards."""
    memory = MEMORY if MEMORY.is_dir() else None
    gc.disable()  # nothing is finalised at a time that the seed does not choose
    gc.freeze()
    try:
        with tempfile.TemporaryDirectory(prefix="turnback-seed-", dir=memory) as made:
            made_in = Path(made)
            return simulate(World(seed, size, made_in, most=most, carriers=carriers, hard=hard))
    finally:
        _bury()
        gc.unfreeze()
        gc.enable()


def simulate(world: World) -> Result:
    """The whole of a seed."""
    structlog.configure(
        processors=[_listener(world)],
        wrapper_class=structlog.make_filtering_bound_logger(40),
        cache_logger_on_first_use=False,
    )
    migrate(path_of(world.settings.store.url.get_secret_value()))
    try:
        world.loop.run_until_complete(world.run())
    except Over:
        pass
    except Stuck:
        world.wrong("inv.L1", "everything waits for what never comes")
    except Exception as error:  # what broke the simulation itself is told with its seed
        world.wrong("simulation", f"{type(error).__name__}: {error}")
    try:
        return _result(world)
    finally:
        world.auditor.close()
        world.loop.close()


def _bury() -> None:
    """What was killed is finalised now, and says its last words to nobody."""
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(50))
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # last words make objects anew, which hold the world for one more round; what is left at the
        # next seed would be frozen, and never freed
        while gc.collect():
            pass
    sys.unraisablehook = hook
    structlog.reset_defaults()


def _drop(_: Any, level: str, fields: Any) -> Any:
    raise structlog.DropEvent


def _listener(world: World) -> Any:
    def listen(_: Any, level: str, fields: Any) -> Any:
        world.auditor.logged(fields.pop("event"), fields)
        raise structlog.DropEvent

    return listen


def _result(world: World) -> Result:
    edges: Counter[str] = Counter()
    for column, source, target, count in world.auditor.rows(EDGES):
        edges[f"{column} {source or 'begin'} > {target}"] += count
    for name, count in _pushed(world).items():
        edges[f"push.{name}"] += count
    for sql in LEDGER:
        world.notes += map(str, world.auditor.rows(sql))
    return Result(
        world.seed,
        world.size,
        tuple(world.violations),
        world.met_ + edges,
        sha256("\n".join(world.notes).encode()).hexdigest(),
        world.kills,
        world.loop.time(),
        world.hard,
    )


def _pushed(world: World) -> Counter[str]:
    """How often the simulator's own faults of pushes were drawn."""
    found: Counter[str] = Counter()
    for record in world.depot.records.values():
        for nth in range(1, record.counts.get(Operation.PUSH, 0) + 1):
            faults = world.depot.script_for(record, Operation.PUSH, nth, world.now).faults
            found.update(str(fault.name) for fault in faults)
    return found


EDGES = "SELECT col, source, target, COUNT(*) FROM event GROUP BY col, source, target"
LEDGER = tuple(
    f"SELECT * FROM {table} ORDER BY rowid"
    for table in ("event", "transfer", "attempt", "evidence", "award", "claim", "inbox", "job")
)
