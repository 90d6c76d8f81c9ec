"""The virtual clock: set, advanced, scaled, frozen, and never back."""

import asyncio

import pytest

from simulator.clock import VirtualClock


class Machine:
    """Machine time that the test moves."""

    def __init__(self) -> None:
        self.now_ms = 0.0

    def __call__(self) -> float:
        return self.now_ms


def test_it_runs_at_its_scale() -> None:
    machine = Machine()
    clock = VirtualClock(1000, 60.0, False, machine)
    machine.now_ms = 100
    assert clock.now_ms() == 7000
    clock.change(scale=1.0)
    machine.now_ms = 150
    assert clock.now_ms() == 7050
    assert clock.machine_ms_until(7100) == 50.0


def test_frozen_it_moves_by_command_only() -> None:
    machine = Machine()
    clock = VirtualClock(1000, 1.0, True, machine)
    machine.now_ms = 500
    assert clock.now_ms() == 1000
    assert clock.machine_ms_until(2000) is None
    assert clock.change(advance_ms=5) == 1005
    assert clock.change(set_ms=2000, advance_ms=1) == 2001
    clock.change(frozen=False)
    machine.now_ms = 501
    assert clock.now_ms() == 2002


def test_it_never_goes_back() -> None:
    clock = VirtualClock(1000, 1.0, True, Machine())
    with pytest.raises(ValueError, match="does not go back"):
        clock.change(set_ms=999)
    assert clock.version == 1


@pytest.mark.parametrize("scale", [0.0, -1.0, 1e7, float("nan")])
def test_a_scale_has_limits(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        VirtualClock(0, scale, True, Machine())


@pytest.mark.asyncio
async def test_who_waits_for_a_version_is_told_of_it() -> None:
    clock = VirtualClock(0, 1.0, True, Machine())
    waiting = asyncio.create_task(clock.wait_after(1, 5000))
    await asyncio.sleep(0)
    clock.change(advance_ms=1)
    await asyncio.wait_for(waiting, 1)
    await clock.wait_after(1, 5000)
    await clock.wait_after(2, 1)
