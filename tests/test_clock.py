"""Machine time begins with the wall's, and goes on steadily whatever becomes of the wall's."""

from dataclasses import dataclass

import pytest

from gateway.clock import Clock, new_id


@dataclass(slots=True)
class Machine:
    wall: int = 1_790_000_000_000
    steady: int = 5_000

    def pass_by(self, ms: int, step: int = 0) -> None:
        self.steady += ms
        self.wall += ms + step


def clock_of(machine: Machine, *, followed: bool = False) -> Clock:
    return Clock(followed, lambda: machine.wall, lambda: machine.steady)


@pytest.mark.parametrize("step", [-3_600_000, 3_600_000])
def test_a_step_of_the_walls_clock_moves_no_machine_time(step: int) -> None:
    machine = Machine()
    clock = clock_of(machine)
    before = clock.machine_ms()
    machine.pass_by(250, step)
    assert clock.machine_ms() - before == 250
    assert clock.now() == machine.wall


def test_a_process_that_starts_takes_the_walls_time() -> None:
    machine = Machine()
    machine.pass_by(1_000, 3_600_000)
    assert clock_of(machine).machine_ms() == machine.wall


def test_business_time_that_is_followed_never_runs_back() -> None:
    clock = clock_of(Machine(), followed=True)
    clock.follow(2_000)
    clock.follow(1_000)
    assert clock.now() == 2_000


def test_the_time_a_while_ago_knows_of_no_leap_since() -> None:
    machine = Machine()
    clock = clock_of(machine, followed=True)
    clock.follow(1_000)
    machine.pass_by(59_999)
    assert clock.earlier() == 0  # it has not lived so long
    machine.pass_by(1)
    clock.follow(90_000_000)
    clock.follow(190_000_000)
    assert clock.earlier() == 1_000
    machine.pass_by(59_999)
    assert clock.earlier() == 1_000
    machine.pass_by(1)
    assert clock.earlier() == clock.now() == 190_000_000


def test_the_time_a_while_ago_is_no_time_before_the_start() -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.pass_by(59_999)
    assert clock.earlier() == 0
    machine.pass_by(1)
    assert clock.earlier() == machine.wall - 60_000


def test_ids_of_a_process_sort_by_time_and_are_never_the_same() -> None:
    ids = [new_id() for _ in range(1_000)]
    assert ids == sorted(set(ids))
