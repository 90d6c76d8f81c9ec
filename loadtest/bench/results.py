"""A run of the benchmark: each operation asked for, on each store, one after the other."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from loadtest.bench import latency
from loadtest.bench.latency import Latency
from loadtest.bench.operations import Operation
from loadtest.bench.sides import Pairs, Phase, alternate, percentile
from loadtest.bench.stage import Engine, Stage, staged
from loadtest.fleet import Json

WARM = 100  # operations of each process before the first round
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured, and of whom."""

    operations: Sequence[Operation]
    engines: Sequence[Engine]
    carrier: str
    rounds: int
    callers: int
    count: int = 0  # operations in a round; 0: what the table says
    latency_calls: int = latency.CALLS  # 0: none


@dataclass(frozen=True, slots=True)
class Result:
    """One operation on one store."""

    operation: Operation
    engine: Engine
    pairs: Pairs
    rows: Mapping[str, float] = field(default_factory=dict)  # that one of it adds

    @property
    def ratio(self) -> float:
        return self.pairs.ratio

    @property
    def met(self) -> bool | None:
        """None where there is no goal."""
        return None if self.operation.goal is None else self.ratio <= self.operation.goal


@dataclass(slots=True)
class Run:
    """All that was measured in one run."""

    options: Options
    results: list[Result] = field(default_factory=list)
    latency: Latency | None = None


def middle(phases: Sequence[Phase]) -> float:
    return statistics.median(phase.cpu_us for phase in phases)


def took(phases: Sequence[Phase], hundredth: int) -> float | None:
    """A percentile of all calls; None of what has no answer to wait for."""
    taken = [one for phase in phases for one in phase.latencies_ms]
    return percentile(taken, hundredth) if taken else None


def rate(phases: Sequence[Phase]) -> float:
    return sum(phase.count for phase in phases) / sum(phase.seconds for phase in phases)


async def run(options: Options, told: Told) -> Run:
    found = Run(options)
    for engine in options.engines:
        wanted = [each for each in options.operations if _fits(each, engine, options.carrier)]
        last = engine is Engine.SQLITE and options.latency_calls > 0
        if not wanted and not last:
            continue
        async with staged(engine, options.carrier) as stage:
            for operation in wanted:
                told(f"{operation.per}, {engine}")
                found.results.append(await measure(operation, stage, options))
            if last:
                told("one caller")
                found.latency = await latency.measure(stage, options.latency_calls)
    found.results.sort(key=lambda each: options.operations.index(each.operation))
    return found


def _fits(operation: Operation, engine: Engine, carrier: str) -> bool:
    return engine in operation.engines and carrier in operation.carriers


async def measure(operation: Operation, stage: Stage, options: Options) -> Result:
    count = options.count or operation.count
    warm = min(WARM, count)
    total = options.rounds * count + warm
    async with operation.prepare(stage, total) as (own, floor):
        await stage.idle()
        before = await stage.counts()
        pairs = await alternate(
            own,
            floor,
            rounds=options.rounds,
            count=count,
            warm=warm,
            callers=options.callers,
        )
        after = await stage.counts()
    rows = {n: (after[n] - before[n]) / total for n in after if after[n] != before[n]}
    return Result(operation, stage.engine, pairs, rows)


def as_json(found: Run) -> Json:
    told: Json = {
        "callers": found.options.callers,
        "carrier": found.options.carrier,
        "operations": [_json(result) for result in found.results],
    }
    if found.latency is not None:
        told["latency"] = {
            f"p{hundredth}": {
                "create_ms": percentile(found.latency.create, hundredth),
                "direct_ms": percentile(found.latency.direct, hundredth),
                "commit_ms": percentile(found.latency.commit, hundredth),
                "added_ms": found.latency.added(hundredth),
                "goal_ms": found.latency.goal(hundredth),
                "met": found.latency.met(hundredth),
            }
            for hundredth in (50, 99)
        }
    return told


def _json(result: Result) -> Json:
    sides = {"gateway": result.pairs.own, "floor": result.pairs.floor}
    return {
        "name": result.operation.name,
        "store": result.engine,
        "ratio": result.ratio,
        "ratios": result.pairs.ratios,
        "goal": result.operation.goal,
        "met": result.met,
        "rows": dict(result.rows),
    } | {
        name: {
            "cpu_us": middle(phases),
            "p50_ms": took(phases, 50),
            "p99_ms": took(phases, 99),
            "per_second": rate(phases),
            "rounds": [
                {"count": phase.count, "cpu_us": phase.cpu_us, "seconds": phase.seconds}
                for phase in phases
            ],
        }
        for name, phases in sides.items()
    }
