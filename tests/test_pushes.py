"""Pushes on a real store: kept and applied in one commit, and kept whatever their contents do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters import ADAPTERS
from gateway.domain.carrier import Delivery, Push, Scan, Tier
from gateway.domain.record import replace
from gateway.failpoints import FailPoints
from gateway.pushes import TRIES_MAX, Gate, Pushes
from tests.engines import ENGINES, engine
from tests.ledgers import Desk, M, opened

SOON_S = 30.0


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """What the log has been told."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture(params=ENGINES)
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    with engine(request.param, tmp_path) as made:
        found = await opened(made)
        yield found
        await found.store.stop()


class Door:
    """Pushes whose bodies are names of what they say."""

    def __init__(self, desk: Desk) -> None:
        pushes = ADAPTERS["sf"].push
        assert pushes is not None
        told = replace(pushes, verify=lambda *_: Tier.T1, decode=self._decode)
        self.gate = Gate(replace(ADAPTERS["sf"], push=told), "a", ({},), "")
        self.said: dict[bytes, Delivery] = {}
        self.counted: Counter[str] = Counter()
        self.desk = desk
        self.pushes = Pushes(
            desk.store,
            {("sf", "a"): self.gate},
            FailPoints(),
            lambda _, outcome: self.counted.update([outcome]),
        )

    def _decode(self, push: Push) -> Delivery:
        return self.said[push.body]

    async def push(self, name: str, waybill: str, **wrong: Any) -> int:
        """The status it is answered with."""
        scan: Scan = replace(self.desk.scan(waybill, M.IN_TRANSIT), code=name, **wrong)
        self.said[name.encode()] = Delivery(name, (waybill,), (scan,))
        return (await self.pushes.accept(self.gate, Push({}, name.encode()))).status

    def kept(self) -> dict[str, str]:
        """Of each push its status."""
        rows = self.desk.engine.table("SELECT id, status FROM inbox")
        return {key.removeprefix("sf/a/"): status for key, status in rows}

    def scans(self) -> set[str]:
        return {code for (code,) in self.desk.engine.table("SELECT code FROM scan")}

    async def until(self, **wanted: str) -> None:
        async with asyncio.timeout(SOON_S):
            while self.kept() != wanted:  # noqa: ASYNC110 - what is waited for is in the database
                await asyncio.sleep(0.05)


async def test_a_push_is_kept_and_applied_in_one_commit(desk: Desk) -> None:
    door, batches = Door(desk), list[int]()
    waybill = await desk.parcel("sf")
    desk.store.batches.append(batches.append)
    assert await door.push("first", waybill) == 200
    assert len(batches) == 1
    assert door.kept() == {"first": "applied"}
    assert door.scans() == {"first"}
    assert await door.push("first", waybill) == 200
    assert await door.push("strange", "SF404") == 200
    assert door.kept() == {"first": "applied", "strange": "unmatched"}
    assert door.counted == {"new": 2, "repeated": 1}


async def test_a_push_that_breaks_what_applies_it_is_kept_and_set_apart(
    desk: Desk, logged: list[Any]
) -> None:
    door = Door(desk)
    waybill = await desk.parcel("sf")
    wrong: Any = "no milestone"
    answers = await asyncio.gather(
        door.push("before", waybill),
        door.push("poison", waybill, milestone=wrong),
        door.push("after", waybill),
    )
    assert list(answers) == [200, 200, 200]
    assert door.kept() == {"before": "applied", "poison": "new", "after": "applied"}
    assert door.scans() == {"before", "after"}
    door.pushes.start()
    await door.until(before="applied", poison="quarantined", after="applied")
    await door.pushes.stop()
    cases = desk.engine.table("SELECT kind, subject FROM exception")
    assert cases == [("QUARANTINED", "sf/a/poison")]
    told = [(line["event"], line["inbox"], line["error"]) for line in logged]
    assert told == [("push not applied", "sf/a/poison", "KeyError")] * (1 + TRIES_MAX)


async def test_what_was_only_kept_is_applied_when_a_gateway_starts(desk: Desk) -> None:
    door = Door(desk)
    waybill = await desk.parcel("sf")
    wrong: Any = "no milestone"
    assert await door.push("left", waybill, milestone=wrong) == 200
    assert door.kept() == {"left": "new"}
    right = desk.scan(waybill, M.IN_TRANSIT)  # the gateway that starts reads it rightly
    door.said[b"left"] = Delivery("left", (waybill,), (replace(right, code="left"),))
    body = desk.engine.table("SELECT body FROM inbox")
    assert [bytes(row[0]) for row in body] == [b"left"]
    door.pushes.start()
    await door.until(left="applied")
    await door.pushes.stop()
    assert door.scans() == {"left"}
