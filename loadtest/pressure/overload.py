"""Three times what a gateway lets in, for a minute: what it still does, and how soon it is over.

First the peak: how many Creates a second one core answers with p99 below a second. Then, on a
store of its own, the gateway is set to let in a third of that, and three times as many are offered.
Each call has one answer, and what it says must be true of the ledger: what was answered OK is there
once, what was refused is not there.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest.client import fen
from loadtest.fleet import FleetError
from loadtest.place import directory
from loadtest.pressure import figures
from loadtest.pressure.figures import Aim, Answer
from loadtest.pressure.replay import Heard, Ready, Replay
from loadtest.pressure.stage import WIDE, Quoted, Stage, staged
from loadtest.traffic import diary
from loadtest.traffic.diary import Line, Told
from loadtest.traffic.pages import OTHERS
from loadtest.traffic.plan import ARRIVALS_MAX, Options, PlanError
from loadtest.traffic.road import MACHINE
from loadtest.traffic.run import Result, conclude

PEAK_P99_MS = 1_000.0
WARM_PART = 0.2  # of the peak's time, which is in no figure
PART = 1 / 3  # of the peak is let in
TIMES = 3.0  # as much is offered
LIGHT = 0.5  # of what is let in: before and after
SETTLES_S = 5.0  # until the overload is steady: a tenant may have saved up a second of its rate
SETTLES_PART = 0.25  # of a shorter one
GOODPUT, RECOVERY_S, SLOWER, LATE_MS = 0.8, 10.0, 1.5, 250.0
FATES = (("refused", 7), ("returned", 2), ("accepted_later", 1))  # most lives are short
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is made of."""

    seed: int = 7
    seconds: float = 60.0
    carriers: tuple[str, ...] = ("sf", "zto")
    latency_ms: tuple[int, int] | None = None
    callers: int = 64
    peak_s: float = 10.0
    most: int = 800  # Creates a second that the peak is looked for up to
    admit: int = 0  # a second; 0: a third of the peak, which is measured first
    calm_s: float = 10.0  # before it
    after_s: float = 20.0
    merchants: int = 8

    def __post_init__(self) -> None:
        if not 2 <= self.seconds <= 600:
            raise PlanError("an overload takes 2 to 600 seconds")
        if not 2 <= self.calm_s <= 600 or not figures.STAYS <= self.after_s <= 600:
            raise PlanError(f"before it 2 to 600 seconds, after it {figures.STAYS} to 600")

    def plan(self, creates: int) -> Options:
        """So many Creates, whenever they come."""
        if creates > ARRIVALS_MAX:
            raise PlanError(f"no more than {ARRIVALS_MAX} Creates, not {creates}")
        seconds = max(1.0, creates / 1_000)
        return Options(
            seed=self.seed,
            scenarios=(("day", creates / seconds),),
            seconds=seconds,
            warm_s=0.0,
            carriers=self.carriers,
            merchants=self.merchants,
            time_outs=0.0,
            lost_answers=0.0,
            latency_ms=self.latency_ms,
            fates=FATES,
        )


@dataclass(frozen=True, slots=True)
class Peak:
    """What one core answers."""

    per_second: float
    callers: int
    p99_ms: float
    cores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many calls a second for so long."""

    since_s: float
    until_s: float
    per_second: float

    @property
    def steady_s(self) -> float:
        """From when on it is as it stays."""
        settles_s = min(SETTLES_S, SETTLES_PART * (self.until_s - self.since_s))
        return self.since_s + settles_s

    def times(self, chance: random.Random) -> Iterator[float]:
        length_s = self.until_s - self.since_s
        for _ in range(round(self.per_second * length_s)):
            yield self.since_s + chance.random() * length_s


@dataclass(slots=True)
class Overload:
    """What came of it."""

    peak: Peak | None  # None: it was given what to let in
    admitted: int  # a second
    pinned: bool
    stretches: Sequence[Stretch]
    answers: list[Answer]
    cores: dict[str, float]  # while it was too much
    result: Result | None = None  # None: not judged yet

    @property
    def aims(self) -> list[Aim]:
        return aims(self)


async def overload(
    wanted: Wanted, keep: Path | None, store_url: str, say: Say, loaded: Callable[[Overload], None]
) -> Overload:
    """`loaded` is told what came of the load before its verdict is known."""
    peak = None if wanted.admit else await find_peak(wanted, say)
    admitted = wanted.admit if peak is None else max(1, int(peak.per_second * PART))
    stretches = stretched(admitted, wanted)
    chance = random.Random(f"{wanted.seed} overload")
    at_s = sorted(time for stretch in stretches for time in stretch.times(chance))
    at_s = at_s[: len(at_s) // 2 * 2]  # a plan deals them out in two halves
    say(f"{admitted} a second will be let in; {len(at_s)} parcels are registered and quoted")
    with directory(keep) as place:
        async with staged(wanted.plan(len(at_s)), place, store_url) as stage:
            await stage.admit(admitted)
            say(f"the load begins: {said(stretches)}")
            heard, cores = await _loaded(stage, stretches, at_s)
            answers = [each.read() for each in heard]
            pinned = stage.cores is not None
            done = Overload(peak, admitted, pinned, stretches, answers, cores)
            loaded(done)
            say("the load is over; business time goes on until all has settled")
            await stage.release()
            done.result = await _judged(stage, heard)
    return done


def stretched(admitted: int, wanted: Wanted) -> tuple[Stretch, Stretch, Stretch]:
    """Before, while it is too much, and after."""
    light, heavy = admitted * LIGHT, admitted * TIMES
    begins_s = wanted.calm_s
    ends_s = begins_s + wanted.seconds
    return (
        Stretch(0.0, begins_s, light),
        Stretch(begins_s, ends_s, heavy),
        Stretch(ends_s, ends_s + wanted.after_s, light),
    )


def said(stretches: Sequence[Stretch]) -> str:
    parts = (
        f"{one.per_second:g} a second for {one.until_s - one.since_s:g} s" for one in stretches
    )
    return ", ".join(parts)


# -- the peak -----------------------------------------------------------------------------


async def find_peak(wanted: Wanted, say: Say) -> Peak:
    """With as many callers as keep p99 below a second: half as many, until they do."""
    callers = wanted.callers
    while callers:
        peak = await _with_callers(wanted, callers)
        say(
            f"{callers} callers: {peak.per_second:.0f} Creates a second, p99 {peak.p99_ms:.0f} ms; "
            f"cores: {figures.in_cores(peak.cores)}"
        )
        if peak.p99_ms < PEAK_P99_MS and peak.per_second:
            return peak
        callers //= 2
    raise FleetError("not even one caller has his answers within a second")


async def _with_callers(wanted: Wanted, callers: int) -> Peak:
    creates = int(wanted.most * wanted.peak_s) // 2 * 2
    with directory(None) as place:
        async with staged(wanted.plan(creates), place, "") as stage:
            await stage.admit(WIDE)
            calls = [quoted.ready for quoted in stage.quoted]
            async with Replay(stage.fleet.grpc, stage.fleet.tokens.platform) as replay:
                before = stage.used_us()
                heard = await replay.taken(calls, callers, wanted.peak_s)
                after = stage.used_us()
    answers = [each.read() for each in heard]
    seconds = max(each.ended_s for each in answers)
    return peak_of(answers, callers, shares(before, after, seconds))


def peak_of(answers: Sequence[Answer], callers: int, cores: dict[str, float]) -> Peak:
    """Only OK counts, from a fifth of the time on until the first caller had no call left."""
    ends_s = max((each.due_s for each in answers), default=0.0)
    since_s = ends_s * WARM_PART
    taken = [each.took_ms for each in figures.between(answers, since_s, ends_s)]
    if not taken:
        return Peak(0.0, callers, 0.0, cores)
    per_second = figures.goodput(answers, since_s, ends_s)
    return Peak(per_second, callers, figures.percentile(taken, 99), cores)


def shares(before: Mapping[str, int], after: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Cores that each process used meanwhile, and those that the others of the machine did."""
    used = {name: (after[name] - before[name]) / 1e6 / seconds for name in after if name in before}
    whole = used.pop(MACHINE, None)
    others = {} if whole is None else {OTHERS: max(0.0, whole - sum(used.values()))}
    return used | others


# -- the load and its verdict -------------------------------------------------------------


async def _loaded(
    stage: Stage, stretches: Sequence[Stretch], at_s: Sequence[float]
) -> tuple[list[Heard], dict[str, float]]:
    calls: list[Ready] = [quoted.ready for quoted in stage.quoted]
    heavy = stretches[1]
    async with Replay(stage.fleet.grpc, stage.fleet.tokens.platform) as replay:
        measuring = asyncio.create_task(_measured(stage, heavy.steady_s, heavy.until_s))
        heard = await replay.offered(calls, at_s)
        return heard, await measuring


async def _measured(stage: Stage, since_s: float, until_s: float) -> dict[str, float]:
    await asyncio.sleep(since_s)
    before = stage.used_us()
    await asyncio.sleep(until_s - since_s)
    return shares(before, stage.used_us(), until_s - since_s)


async def _judged(stage: Stage, heard: Sequence[Heard]) -> Result:
    """The verdict on a load run, over what these clients were told."""
    scene, driver = stage.scene, stage.driver
    told = as_told(stage.quoted, heard)
    driver.watcher.start()  # only now: it would have cost the gateway some of its core
    result = Result(scene.plan.options, scene.totals, [], told, [], Path())
    await conclude(scene, driver, result)
    return result


def as_told(quoted: Sequence[Quoted], heard: Sequence[Heard]) -> Told:
    """The clients' log. Whoever was refused leaves, and expects that nothing has come of it;
    whoever has no answer repeats his call after the load, as the error contract says."""
    told = Told()
    by_key = {each.key: each for each in heard}
    for one in quoted:
        carrier, waybill = key = one.parcel.key
        line: Line = {"carrier": carrier, "waybill": waybill, "quoted_fee": one.fee}
        told.asked[key] = line | {"kind": diary.ASKING, "quote": one.quote}
        told.visits[key] = line | {"kind": diary.VISIT, "quoted": True} | _ending(by_key[key])
    return told


def _ending(heard: Heard) -> Line:
    if heard.code.name == figures.OK:
        shown = pb.InterceptServiceCreateResponse.FromString(heard.said).interception
        return {"created": [shown.id], "created_fee": fen(shown.fee)}
    return {"created": [], "again": heard.code.name not in figures.SHED}


def aims(done: Overload) -> list[Aim]:
    """What was asked of the gateway, and how far it kept to it."""
    calm, heavy, after = done.stretches
    answers = done.answers
    normal_ms = figures.normal_ms(figures.windows(answers, calm.since_s, calm.until_s))
    seconds = figures.windows(answers, after.since_s, after.until_s)
    share = figures.goodput(answers, heavy.steady_s, heavy.until_s) / done.admitted
    late_ms = figures.percentile((each.late_ms for each in answers), 99)
    light = figures.between(answers, calm.since_s, calm.until_s)
    return [
        Aim("goodput, of what is let in,", share, GOODPUT, least=True),
        Aim(
            "back to normal after",
            figures.recovery_s(seconds, normal_ms * SLOWER),
            RECOVERY_S,
            " s",
        ),
        Aim("refused without RetryInfo", figures.unannounced(answers), 0),
        Aim("answers with another code", figures.unforeseen(answers), 0),
        Aim("refused before the overload", sum(each.code != figures.OK for each in light), 0),
        Aim("generator late (p99)", late_ms, LATE_MS, " ms"),
    ]
