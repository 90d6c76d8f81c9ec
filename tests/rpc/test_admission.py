"""Admission: a process that runs late turns away who would begin something, and nobody else."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.rpc.admission import BEAT_S, BEATS, FULL, PAUSE_S, PROBED, STAGES, Valve
from tests.rpc.world import METHODS, Code, living, told

LATE_S = 0.05
Lateness = st.lists(st.floats(0, 5), max_size=200)


@given(Lateness)
def test_whoever_is_in_time_is_let_in(beats: list[float]) -> None:
    valve = Valve(LATE_S)
    for late in beats:
        valve.beat(min(late, LATE_S), BEAT_S)
    assert valve.pressure == 0
    assert not any(valve.turns_away(stage, 0.0) for stage in STAGES.values())


@given(Lateness, st.floats(0, 1, exclude_max=True))
def test_the_earliest_stage_goes_first_and_the_rest_never(beats: list[float], at: float) -> None:
    valve = Valve(LATE_S)
    for late in beats:
        valve.beat(late, BEAT_S)
        away = [valve.turns_away(stage, at) for stage in (0, 1, 2)]
        assert away == sorted(away, reverse=True)
        assert not valve.turns_away(None, 0.0)
        assert 0 <= valve.pressure <= FULL


@given(Lateness)
def test_it_is_over_soon_after_the_lateness_is(beats: list[float]) -> None:
    valve = Valve(LATE_S)
    for late in beats:
        valve.beat(late, BEAT_S)
    for _ in range(int(FULL / BEAT_S) + 1):
        valve.beat(0, BEAT_S)
    assert valve.pressure == 0


@given(st.lists(st.floats(0, 60), max_size=BEATS - 1), st.integers(1, 50))
def test_a_halt_is_no_flood(halt: list[float], quiet: int) -> None:
    """However long it was: what comes after it is in time."""
    valve = Valve(LATE_S)
    for late in [0.0] * quiet + halt + [0.0] * BEATS:
        valve.beat(late, max(late, BEAT_S))
        assert valve.pressure == 0


def test_a_flood_closes_it_within_seconds_and_some_are_let_in_all_the_same() -> None:
    valve, passed = Valve(LATE_S), 0.0
    while valve.pressure < FULL:
        valve.beat(4 * LATE_S, BEAT_S)
        passed += BEAT_S
    assert passed < 2
    chance = Random(7)
    let_in = sum(not valve.turns_away(2, chance.random()) for _ in range(10_000))
    assert 300 < let_in < 700  # one in twenty


def test_every_stage_is_a_method_of_the_protocol() -> None:
    names = {f"{method.containing_service.name}/{method.name}" for method in METHODS}
    assert names >= set(STAGES) > set(PROBED)


async def test_calls_of_our_own_are_answered_and_are_in_no_count(tmp_path: Path) -> None:
    """They go through the doors that a flood begins with, and without a credential."""
    async with living(tmp_path / "turnback.db") as world:
        await asyncio.sleep(10 * PAUSE_S)
        assert b'code="UNAUTHENTICATED"' not in await world.gateway.metrics.render()
        assert world.gateway.server._guard.valve.pressure == 0
        bare: Any = world.channel.unary_unary(f"/turnback.v1.{PROBED[0]}")
        with pytest.raises(grpc.aio.AioRpcError):
            await bare(b"")
        assert b'code="UNAUTHENTICATED"' in await world.gateway.metrics.render()


@pytest.mark.asyncio
async def test_a_flood_is_turned_away_in_part_and_the_ledger_is_exact(tmp_path: Path) -> None:
    """The clients are in the gateway's own process: their flood makes its answers late."""
    async with living(tmp_path / "turnback.db", limits={"late_ms": 25}) as world:
        numbers = [await world.ship() for _ in range(20)]
        errors: list[grpc.aio.AioRpcError] = []

        async def ask(number: str) -> str:
            """The quote's id; "" where it was turned away."""
            try:
                return str((await world.quote(number)).id)
            except grpc.aio.AioRpcError as error:
                errors.append(error)
                return ""

        async with asyncio.timeout(120):
            while not errors:
                await asyncio.gather(*(ask(number) for number in numbers for _ in range(10)))
            for error in errors:
                reason, found = told(error)
                assert (error.code(), reason) == (Code.UNAVAILABLE, "OVERLOADED")
                assert found["RetryInfo"][0].retry_delay.seconds in (1, 3, 6)
            ids = set()
            for number in numbers:
                quote = await again(partial(world.quote, number))
                made = await again(partial(world.settled, quote.id, f"flooded-{number}"))
                ids.add(made.id)
        assert len(ids) == len(numbers)
        page = (await world.gateway.metrics.render()).decode()
        shed = next(line for line in page.splitlines() if line.startswith("turnback_shed_total"))
        assert float(shed.split()[1]) >= len(errors)
        audit = await world.ask(operations.OperationServiceAuditRequest(), "mall-operator-token")
        assert audit.clean


async def again(call: Callable[[], Awaitable[Any]]) -> Any:
    """A call that is repeated until it is let in."""
    for wait_s in (0.2,) * 100:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if told(error)[0] != "OVERLOADED":
                raise
        await asyncio.sleep(wait_s)
    raise AssertionError("never let in")
