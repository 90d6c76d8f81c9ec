"""How long carriers take: the distribution, its purity, and that it is really waited for."""

import statistics
import time

import pytest

from simulator.latency import LATENCY_MS_MAX, Latency
from tests.simulator.desk import Desk

USUAL = Latency(120, 700)


def drawn(seed: int, count: int = 20_000) -> list[float]:
    return [USUAL.ms(seed, "zto", f"73{number:09}", "intercept", 1) for number in range(count)]


def test_median_and_p99_are_what_was_asked_for() -> None:
    taken = sorted(drawn(7))
    assert statistics.median(taken) == pytest.approx(120, rel=0.03)
    assert taken[len(taken) * 99 // 100] == pytest.approx(700, rel=0.08)
    assert taken[0] > 0
    assert taken[-1] <= LATENCY_MS_MAX


def test_it_depends_on_seed_and_attempt_and_nothing_else() -> None:
    one = USUAL.ms(7, "zto", "731", "track", 1)
    assert one == Latency(120, 700).ms(7, "zto", "731", "track", 1)
    others = [
        USUAL.ms(8, "zto", "731", "track", 1),
        USUAL.ms(7, "sf", "731", "track", 1),
        USUAL.ms(7, "zto", "732", "track", 1),
        USUAL.ms(7, "zto", "731", "intercept", 1),
        USUAL.ms(7, "zto", "731", "track", 2),
    ]
    assert len({one, *others}) == 6


def test_the_same_for_every_answer_where_both_are_equal() -> None:
    assert Latency(50, 50).ms(7, "zto", "731", "track", 1) == pytest.approx(50)


@pytest.mark.parametrize("given", [(0, 5), (10, 9), (10, LATENCY_MS_MAX + 1)])
def test_what_cannot_be_a_latency(given: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="median_ms"):
        Latency(*given)


async def test_a_carrier_takes_its_time_and_has_done_it_by_then(desk: Desk) -> None:
    account = {"carrier": "zto", "account": "Z1", "credentials": {"app_secret": "zs"}}
    slow = {**account, "options": {"latency": {"median_ms": 200, "p99_ms": 200}}}
    assert (await desk.control("POST", "/accounts", slow))[0] == 200
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    began = time.monotonic()
    assert (await desk.zto_intercept(waybill))["status"] is True
    assert time.monotonic() - began >= 0.2
    assert (await desk.truth(waybill))["effects"] == 1


async def test_options_that_are_no_latency_are_refused(desk: Desk) -> None:
    account = {"carrier": "zto", "account": "Z1", "credentials": {"app_secret": "zs"}}
    wrong = {**account, "options": {"latency": {"median_ms": 200, "p99_ms": 100}}}
    status, said = await desk.control("POST", "/accounts", wrong)
    assert status == 400
    assert "latency" in said["error"]
