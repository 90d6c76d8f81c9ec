"""A number that several parcels come back under, at one time or one after the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.domain.carrier import Answer, Cause, Delivery, Milestone, Status, Verdict
from gateway.domain.interception import Decision, InboxStatus, Interception, Movement
from gateway.domain.parcel import EPOCH_GAP_MS, Alias, Parcel, ScanRow
from gateway.domain.push import ApplyPush
from gateway.domain.quote import MakeQuote
from gateway.domain.refusal import Refusal, Refusals, Why
from gateway.domain.register import RegisterParcel
from tests.engines import ENGINES, engine
from tests.ledgers import PEOPLE, SHOP, TENANT, Desk, opened

BACK = "75399999999999"
M, V = Milestone, Verdict


@pytest_asyncio.fixture(params=ENGINES)
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    with engine(request.param, tmp_path) as db:
        desk = await opened(db)
        yield desk
        findings = await desk.store.audit()
        await desk.store.stop()
        assert findings == []


async def back(desk: Desk) -> Interception:
    """A parcel that the carrier turned round, under the number that others have too."""
    ic = await desk.create("zto")
    await desk.answer(ic, V.RECEIVED)
    said = Answer(V.ACCEPTED)
    seen: Interception = await desk.see(
        ic, M.RETURNING, asked=said, return_waybill=BACK, cause=Cause.INTERCEPTION
    )
    return seen


async def push(desk: Desk, *milestones: Milestone) -> InboxStatus:
    """What the carrier tells of that number."""
    scans = tuple(desk.scan(BACK, each) for each in milestones)
    key = await desk.receive("zto", f"{milestones} {desk.clock.now()}".encode())
    status: InboxStatus = await desk.store.run(ApplyPush(key, "zto", Delivery(key, (BACK,), scans)))
    return status


async def told(desk: Desk, ic: Interception) -> list[str]:
    rows = await desk.store.rows(ScanRow, "scans_of_parcel", parcel=ic.parcel)
    return [row.milestone for row in rows if row.waybill == BACK]


def registering(number: str) -> RegisterParcel:
    return RegisterParcel(TENANT, SHOP, "zto", "zto", "a", number, Status.UNKNOWN, (), PEOPLE)


async def test_parcels_that_come_back_together_all_come_back(desk: Desk) -> None:
    first, second = await back(desk), await back(desk)
    for ic in (first, second):
        assert (ic.decision, ic.movement) == (Decision.ACCEPTED, Movement.RETURNING)
        (alias,) = await desk.store.rows(Alias, "aliases_of_parcel", parcel=ic.parcel)
        assert (alias.waybill, alias.network) == (BACK, "zto")
    assert await push(desk, M.RETURN_SIGNED) is InboxStatus.APPLIED
    assert await told(desk, first) == await told(desk, second) == [M.RETURN_SIGNED]
    for ic in (first, second):
        seen = await desk.see(ic.id, M.RETURN_SIGNED, asked=Answer(V.ACCEPTED))
        assert seen.movement is Movement.RETURNED
    quoted = await desk.store.run(MakeQuote(TENANT, SHOP, "zto", BACK, None))
    assert isinstance(quoted, Refusals)
    assert [refusal.why for refusal in quoted.unmet] == [Why.RETURN_LEG]


async def test_a_number_that_is_used_again_is_the_newer_ones(desk: Desk) -> None:
    first = await back(desk)
    await desk.see(first.id, M.RETURN_SIGNED, asked=Answer(V.ACCEPTED))
    [alias] = await desk.store.rows(Alias, "aliases_of_parcel", parcel=first.parcel)
    desk.clock.follow(alias.at + EPOCH_GAP_MS)
    refused = await desk.store.run(registering(BACK))
    assert isinstance(refused, Refusal)
    assert refused.why is Why.WAYBILL_NOT_YOURS
    desk.later(1)
    second = await back(desk)
    await push(desk, M.LOST)
    assert await told(desk, first) == []
    assert await told(desk, second) == [M.LOST]


async def test_a_number_of_a_way_back_long_ago_can_be_a_parcels_own(desk: Desk) -> None:
    first = await back(desk)
    await desk.see(first.id, M.RETURN_SIGNED, asked=Answer(V.ACCEPTED))
    desk.later(EPOCH_GAP_MS)  # and it was heard of a while before
    parcel = await desk.store.run(registering(BACK))
    assert isinstance(parcel, Parcel)
    await push(desk, M.IN_TRANSIT)
    assert await told(desk, first) == []
