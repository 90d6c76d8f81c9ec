"""What is done beside the work goes on whatever comes of it, and takes no more than its share."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.store.writer import Unavailable
from gateway.vitals import Round, again

LONG_S, SHORT_S = 3_600.0, 0.01


class Begun(list[float]):
    """When a round began, each time; an error of the list is raised in its turn."""

    def __init__(self, *errors: Exception | None, takes_s: float = 0.0) -> None:
        super().__init__()
        self._errors: Iterator[Exception | None] = iter(errors)
        self._takes_s = takes_s

    async def __call__(self) -> None:
        self.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._takes_s)
        error = next(self._errors, None)
        if error is not None:
            raise error


async def during(each: Round, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(again(each), seconds)


@pytest.mark.parametrize("error", [Unavailable("away"), ValueError("nobody foresaw it")], ids=repr)
async def test_an_error_ends_one_round_only(error: Exception) -> None:
    act = Begun(error, error)
    await during(Round("some", act, SHORT_S), 0.5)
    assert len(act) > 5


async def test_what_the_store_could_not_take_is_done_soon() -> None:
    act = Begun(Unavailable("away"), Unavailable("away"))
    await during(Round("some", act, LONG_S, soon_s=SHORT_S), 0.5)
    assert len(act) == 3, "and after it is done, not before its time"


async def test_a_defect_is_not_met_again_at_once() -> None:
    act = Begun(ValueError("nobody foresaw it"))
    await during(Round("some", act, LONG_S, soon_s=SHORT_S), 0.3)
    assert len(act) == 1


async def test_what_takes_long_rests_for_longer() -> None:
    act = Begun(takes_s=0.1)
    await during(Round("some", act, SHORT_S, rests=9), 1.5)
    assert len(act) == 2
    assert act[1] - act[0] >= 1.0


async def test_the_first_one_can_wait() -> None:
    act = Begun()
    await during(Round("some", act, SHORT_S, first_s=LONG_S), 0.2)
    assert act == []
