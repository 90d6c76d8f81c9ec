"""Kills gateways under load: at named points, at random moments; pauses them; stops the database.

Every replica has a task that goes through the plan, one blow after the other, and one driver for
all makes the clients do what leads to the points that are armed.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.cluster import Cluster
from loadtest.crowd import ACTS_MAX, Crowd
from loadtest.fleet import Fleet, FleetError, gateway
from loadtest.tally import DATABASE, MOMENT, PAUSE, Row

ROUND_S = 90.0  # a gateway that hangs under one fail point
AWAKE_S = 1.0  # a replica that was paused lives on for so long before its next blow
DOWN_S = 0.2  # the database is away for at least so long
KILLED = f"exit code {-signal.SIGKILL}"
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
    "ReceivePart": Crowd.statement,
    "PostStatement": Crowd.statement,
    "JudgeStatement": Crowd.statement,
}  # any other point is met in the life of an interception


@dataclass(frozen=True, slots=True)
class Blow:
    """What befalls a replica, or the database under all of them."""

    point: str  # a fail point, or one of tally's names
    ordinal: int = 1  # of the hit at which the process dies
    after_s: float = 0.0  # a moment of the load


@dataclass(slots=True)
class Armed:
    """A replica that waits for its blow, and what the clients do about it."""

    replica: int
    point: str
    acts: int = 0
    missed: asyncio.Event = field(default_factory=asyncio.Event)


class Killing:
    """One life of a fleet: the plan, the gateways that die by it, and what each point did."""

    def __init__(
        self,
        fleet: Fleet,
        crowd: Crowd,
        interceptions: int,
        cluster: Cluster | None,
        pause_s: float,
    ) -> None:
        self.fleet = fleet
        self.crowd = crowd
        self.rows: dict[str, Row] = {}
        self._interceptions = interceptions
        self._cluster = cluster
        self._pause_s = pause_s
        self._plan: deque[Blow] = deque()
        self._left = 0
        self._armed: dict[int, Armed] = {}
        self._turn = 0
        self._over = False
        self._steady = asyncio.Lock()  # held by whoever starts a process, one at a time

    async def run(
        self, plan: Sequence[Blow], told: Callable[[str], None], *, alone: bool = False
    ) -> None:
        """Deal every blow; then let all live, and let every open call be answered. `alone`: the
        first replica takes them all, and no other is started."""
        self._plan, self._left = deque(plan), len(plan)
        for blow in plan:
            self.rows.setdefault(blow.point, Row(blow.point))
        self._over = False
        replicas = range(1 if alone else self.fleet.replicas)
        for replica in replicas:
            if self.fleet.gateway_alive(replica):
                self.crowd.replicas.up(replica)
        slots = [asyncio.create_task(self._suffer(replica, told)) for replica in replicas]
        driver = asyncio.create_task(self._drive())
        tasks: set[asyncio.Task[None]] = {driver, *slots}
        try:
            while not all(slot.done() for slot in slots):
                done, _ = await asyncio.wait(
                    {t for t in tasks if not t.done()}, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
                if driver.done():
                    raise FleetError("the clients ended too early")
            self._over = True
            await driver
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.crowd.point, self.crowd.replicas.preferred = "", -1

    # -- the blows --------------------------------------------------------------------------

    async def _suffer(self, replica: int, told: Callable[[str], None]) -> None:
        while self._plan:
            blow = self._plan.popleft()
            await BLOWS.get(blow.point, Killing._at_point)(self, replica, blow)
            self._left -= 1
            told(blow.point)
        await self._alive(replica)

    async def _at_point(self, replica: int, blow: Blow) -> None:
        row = self.rows[blow.point]
        if self.fleet.gateway_alive(replica):
            await self._killed(replica)
            row = self.rows.setdefault(MOMENT, Row(MOMENT))
            row.kills += 1
            row = self.rows[blow.point]
        row.restarts += 1
        if not await self._start(replica, f"{blow.point}#{blow.ordinal}"):
            row.kills += 1
            return
        row.kills += await self._dies(Armed(replica, blow.point))

    async def _at_moment(self, replica: int, blow: Blow) -> None:
        row = self.rows[MOMENT]
        row.restarts += await self._alive(replica)
        await self._under_load(replica, blow)
        await self._killed(replica)
        row.kills += 1

    async def _paused(self, replica: int, blow: Blow) -> None:
        """It stands still for longer than its leases and its transactions are let; then it goes
        on, and finds out."""
        await self._alive(replica)
        await self._under_load(replica, blow)
        replicas = self.crowd.replicas
        self.fleet.signal_gateway(signal.SIGSTOP, replica)
        replicas.paused.add(replica)
        try:
            await asyncio.sleep(self._pause_s)
        finally:
            self.fleet.signal_gateway(signal.SIGCONT, replica)
            replicas.paused.discard(replica)
        await asyncio.sleep(AWAKE_S)
        self._must_live(replica)
        self.rows[PAUSE].kills += 1

    async def _database(self, replica: int, blow: Blow) -> None:
        """The database goes away under all replicas, and comes again."""
        if self._cluster is None:
            raise FleetError("only PostgreSQL can be stopped under a gateway")
        await self._alive(replica)
        await self._under_load(replica, blow)
        async with self._steady:
            await self._cluster.kill()
            await asyncio.sleep(DOWN_S)
            await self._cluster.start()
        await asyncio.sleep(AWAKE_S)
        self._must_live(replica)
        self.rows[DATABASE].kills += 1

    def _must_live(self, replica: int) -> None:
        if not self.fleet.gateway_alive(replica):
            self.crowd.wrong(f"{gateway(replica)} has ended{self.fleet.tail(gateway(replica))}")

    async def _under_load(self, replica: int, blow: Blow) -> None:
        self._armed[replica] = Armed(replica, blow.point)
        try:
            await asyncio.sleep(blow.after_s)
        finally:
            del self._armed[replica]

    async def _alive(self, replica: int) -> bool:
        """Whether it had to be started."""
        if self.fleet.gateway_alive(replica):
            self.crowd.replicas.up(replica)
            return False
        if not await self._start(replica, ""):
            raise FleetError(f"a gateway did not start{self.fleet.tail(gateway(replica))}")
        return True

    async def _start(self, replica: int, point: str) -> bool:
        """False where the fail point was met before the gateway said that it is ready."""
        async with self._steady:
            try:
                await self.fleet.start_gateway(point, replica)
            except FleetError as error:
                if point and KILLED in str(error):
                    return False
                raise
        self.crowd.replicas.up(replica)
        return True

    async def _killed(self, replica: int) -> None:
        self.crowd.replicas.down(replica)
        await self.fleet.kill_gateway(replica)
        await self._pushed_elsewhere()

    async def _dies(self, armed: Armed) -> bool:
        """Whether the gateway dies by its fail point, and not by anything else."""
        replica = armed.replica
        self._armed[replica] = armed
        ended = asyncio.create_task(self.fleet.gateway_ended(ROUND_S, replica))
        missed = asyncio.create_task(armed.missed.wait())
        waited: set[asyncio.Task[Any]] = {ended, missed}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                if ended.result() != -signal.SIGKILL:
                    self.crowd.wrong(f"{gateway(replica)} ended with {ended.result()}", armed.point)
                self.crowd.replicas.down(replica)
                await self._pushed_elsewhere()
                return True
        finally:
            del self._armed[replica]
            for task in waited:
                task.cancel()
            await asyncio.gather(*waited, return_exceptions=True)
        await self._killed(replica)
        return False

    async def _pushed_elsewhere(self) -> None:
        here = self.crowd.replicas.here()
        if here:
            await self.fleet.push_to(here[0])

    # -- the clients ------------------------------------------------------------------------

    async def _drive(self) -> None:
        """Do what leads to the points that are armed, and load beside it, until all is over."""
        while not self._over:
            armed = self._next()
            point = armed.point if armed is not None else ""
            self.crowd.point = point
            self.crowd.replicas.preferred = armed.replica if armed is not None else -1
            missing = max(0, self._interceptions - len(self.crowd.cases))
            self.crowd.share = -(-missing // max(1, self._left))
            load = [self.crowd.cohort()] if self.crowd.share > 0 else []
            await asyncio.gather(*load, ACTS.get(point.rpartition(":")[2], Crowd.life)(self.crowd))
            if armed is not None:
                armed.acts += 1
                if armed.acts >= ACTS_MAX * self.fleet.replicas:
                    armed.missed.set()

    def _next(self) -> Armed | None:
        """In turn; none where every replica is being started."""
        armed = [self._armed[replica] for replica in sorted(self._armed)]
        self._turn += 1
        return armed[self._turn % len(armed)] if armed else None


BLOWS: Mapping[str, Callable[[Killing, int, Blow], Awaitable[None]]] = {
    MOMENT: Killing._at_moment,
    PAUSE: Killing._paused,
    DATABASE: Killing._database,
}
