"""Straits: what chance alone brings about too seldom, made in the world and nowhere else.

They draw from a stream of their own: without them a seed has the history it had before there were
any. A strait is a stretch of a seed in which a carrier or the store behaves worse than usual for
longer than usual; a plight is the lot of one parcel.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from adapters import ADAPTERS
from gateway.domain.carrier import Dedup
from simulator.outcomes import Outcome
from simulator.world import Journey, Status
from tests.simulation.faults import PLIGHT, STRAIT, strikes
from tests.simulation.terms import BOUND_MS

if TYPE_CHECKING:
    from tests.simulation.world import World

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
DEADLINE_MS = 30 * MINUTE_MS  # of a send: the contracts' usual one
STALLS_MAX = 4  # of one stretch
BEGIN = {"cut_off": 5, "forgetful": 12}  # parcels; the second takes more than there are slots
STEPS_MS = (5_000, 20_000, 40_000, 70_000)


@dataclass(frozen=True, slots=True)
class Lot:
    """What a parcel is given instead of what chance gave it."""

    shipped_ago_ms: int
    outcome: Outcome
    watched: bool
    destiny: Mapping[str, Any]


@dataclass(slots=True)
class Straits:
    world: "World"
    chance: Random
    on: bool
    name: str = ""  # the strait that is on
    carrier: str = ""  # and whose it is
    _answers_s: float = 0.0  # when the carrier answers all that it was asked to do
    _held: set[str] = field(default_factory=set)  # parcels whose first request has left

    def draw(self) -> int:
        """Whether a strait begins now: how many parcels it begins with, 0 for none."""
        self.name = self.carrier = ""
        askable = [name for name in self.world.deals if _knows_again(name)]
        if not self.on or not askable:
            return 0
        struck = [name for name, share in STRAIT.items() if strikes(self.chance, share)]
        if not struck:
            return 0
        self.name, self.carrier = struck[0], self.chance.choice(askable)
        self.world.met(f"strait.{self.name}")
        return BEGIN[self.name]

    async def pass_through(self) -> None:
        """The stretch, from the moment at which its parcels have begun."""
        world, wire = self.world, self.world.wire
        wire.down = wire.silent = wire.deaf = ""
        wire.share = self.chance.choice((0, 0, 100_000))
        await COURSES[self.name](self)
        self.name = self.carrier = ""
        if world.gateway is None:
            await world.start()
        await world.rest(8.0)
        world.advance(MINUTE_MS)

    async def _cut_off(self) -> None:
        """What a carrier is to do is lost or held up, past its bound and our deadline, and it
        takes nothing more; asked what it knows, it tells."""
        world, chance = self.world, self.chance
        end = world.now + DEADLINE_MS + chance.randrange(15 * MINUTE_MS)
        stalls = 0
        await asyncio.sleep(chance.uniform(3.0, 6.0))
        while world.now < end:
            world.advance(chance.choice(STEPS_MS))
            await asyncio.sleep(chance.uniform(0.1, 0.4))
            if stalls < STALLS_MAX and chance.random() < 0.12:
                stalls += 1
                world.stall(BOUND_MS / 1000)
            if world.gateway is None:
                await world.start()

    async def _forgetful(self) -> None:
        """The store takes nothing for longer than the bound, while answers wait to be kept; and
        the carrier, asked, tells of a time before it had ours."""
        world = self.world
        self._answers_s = world.loop.time() + 2.0
        await asyncio.sleep(self.chance.uniform(0.6, 1.0))
        out_s = BOUND_MS / 1000 + self.chance.uniform(1.0, 4.0)
        world.refuse(out_s)
        await asyncio.sleep(out_s + 0.001)
        world.advance(1_000)  # whoever looks for work looks now; what waits to be kept waits on
        await asyncio.sleep(1.5)

    # -- on the wire ----------------------------------------------------------------------

    def fault(self, carrier: str, operation: str, waybill: str) -> str | None:
        """What befalls a request because of the strait; None: what chance says."""
        if not self.name or carrier != self.carrier:
            return None
        if self.name == "forgetful":
            return {"intercept": "slow", "query": "stale_query"}.get(operation)
        if operation != "intercept":
            return None
        if waybill in self._held:
            return "connect_refused"
        self._held.add(waybill)
        return "beyond_bound" if self.chance.random() < 0.7 else "timeout_before"

    def held_s(self) -> float:
        """How long after the bound's own excess a request that is held up still takes."""
        return self.chance.uniform(0.0, 110.0) if self.name == "cut_off" else 0.0

    def back_s(self, carrier: str, operation: str) -> float | None:
        """How long the answer takes that was put off; None: what chance says."""
        if self.name != "forgetful" or (carrier, operation) != (self.carrier, "intercept"):
            return None
        return max(0.001, self._answers_s - self.world.loop.time())

    # -- parcels --------------------------------------------------------------------------

    def lot(self, channel: str, plan: Journey) -> Lot | None:
        """The lot of the next parcel of this carrier; None: what chance has given it."""
        if not self.on:
            return None
        if self.name:
            return self._caught(plan)
        struck = [name for name, share in PLIGHT.items() if strikes(self.chance, share)]
        if "order" in struck and self.world.parties[channel].orders:
            self.world.met("plight.order")
            ago = plan.middle_of(Status.NOT_PICKED_UP)
            return Lot(ago, Outcome.RETURNED, self.chance.random() < 0.5, {})
        if "astray" in struck:
            self.world.met("plight.astray")
            return self._astray(plan)
        return None

    def _astray(self, plan: Journey) -> Lot:
        """Lost for so long that it is noticed. Found, it lies, or is back or delivered before
        anybody looks again."""
        ago, chance = plan.middle_of(Status.IN_TRANSIT), self.chance
        times = {"lost_ms": chance.choice((1, 5)) * HOUR_MS, "return_ms": 8 * HOUR_MS}
        times |= {"found_ms": chance.choice((20, 40)) * HOUR_MS, "turn_ms": 36 * HOUR_MS}
        match chance.randrange(4):
            case 0:
                quick = {"turn_ms": 0, "return_ms": 2 * HOUR_MS}
                return Lot(ago, Outcome.LOST_THEN_TURNED, False, times | quick)
            case 1:
                return Lot(ago, Outcome.LOST_THEN_DELIVERED, False, times | {"turn_ms": 0})
            case _:
                return Lot(ago, Outcome.LOST_THEN_TURNED, chance.random() < 0.6, times)

    def _caught(self, plan: Journey) -> Lot:
        """One in a strait: stopped soon if it is stopped at all, or at its buyer's door."""
        quick: dict[str, Any] = {"after_ms": self.chance.choice((0, 30_000)), "when": "reply"}
        quick["return_ms"] = 2 * HOUR_MS
        quick["turn_ms"] = 0 if self.name == "cut_off" else 2 * HOUR_MS
        ago = plan.middle_of(Status.IN_TRANSIT)
        if self.name == "cut_off" and self.chance.random() < 0.4:
            ago = plan.delivered - self.chance.randrange(5, 28) * MINUTE_MS
        refused = self.name == "forgetful" and self.chance.random() < 0.2
        return Lot(ago, Outcome.REFUSED if refused else Outcome.RETURNED, True, quick)


def _knows_again(channel: str) -> bool:
    """Whether the carrier can be asked, and knows a request that is repeated: only then is what it
    does not know sent again."""
    adapter = ADAPTERS[channel]
    return adapter.query is not None and adapter.dedup.value is Dedup.REFERENCE


COURSES: Mapping[str, Callable[[Straits], Awaitable[None]]] = {
    "cut_off": Straits._cut_off,
    "forgetful": Straits._forgetful,
}
