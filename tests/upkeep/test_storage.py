"""Storage that fails: not ready, reads go on, nothing is half written, and it mends by itself."""

import asyncio
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from loadtest import client as wire
from loadtest.cases import MINUTE_MS, Case, Kind, registration, shipped
from loadtest.fleet import PAYMENT_AGREEMENT
from loadtest.judge import faults, settled
from tests.engines import Engine
from tests.replicas.scene import patient
from tests.rpc.world import living
from tests.upkeep.cluster import SLOW, Cluster, cluster, open_to_all, slow_disk, small_disk
from tests.upkeep.place import SOON_S, Place, placed

Code = grpc.StatusCode
DOWN = (Code.UNAVAILABLE, "STORE_UNAVAILABLE", 1.0)
SHED = (Code.UNAVAILABLE, "OVERLOADED", 1.0)
REGISTER = wire.Method("ParcelService/Register", parcels.ParcelServiceRegisterResponse)
KINDS = (Kind("sf"), Kind("zto"), Kind("sf", "refused"), Kind("zto", "returned", "reset_after"))


async def quoted(place: Place, count: int) -> list[tuple[Case, pb.InterceptServiceCreateRequest]]:
    """Parcels that are priced and only wait for their Create."""
    crowd = place.crowd
    cases = [crowd.case(KINDS[number % len(KINDS)]) for number in range(count)]
    await place.simulation.ship([shipped(case, place.fleet) for case in cases])
    items = [parcels.ParcelServiceRegisterRequest(parcel=registration(case)) for case in cases]
    await crowd.ask(wire.REGISTER, parcels.ParcelServiceBatchRegisterRequest(items=items))
    return [(case, await priced(place, case)) for case in cases]


async def priced(place: Place, case: Case) -> pb.InterceptServiceCreateRequest:
    key = parcels.ParcelKey(carrier=case.kind.channel, waybill=case.waybill)
    asked = pb.InterceptServiceQuoteRequest(merchant_id=case.merchant, parcel=key)
    quote = (await place.crowd.ask(wire.QUOTE, asked)).quote
    case.fee = wire.fen(quote.actions[0].fee)
    return pb.InterceptServiceCreateRequest(
        request_id=case.request_id, quote_id=quote.id, agreement_id=PAYMENT_AGREEMENT
    )


async def created(place: Place, case: Case, request: pb.InterceptServiceCreateRequest) -> None:
    """Until it is answered, with the same request_id."""
    answer = (await place.crowd.ask(wire.CREATE, request)).interception
    case.answers.add((answer.id, wire.fen(answer.fee)))


async def ends(place: Place, cases: Sequence[Case]) -> None:
    """Everything settles as the carriers have it, and the audit has nothing to say."""
    rows: dict[str, Any] = {}
    for _ in range(40):
        for case in cases:
            asked = pb.InterceptServiceGetRequest(interception_id=case.interception)
            rows[case.waybill] = (await place.crowd.ask(wire.GET, asked)).interception
        if all(map(settled, rows.values())):
            break
        await place.crowd.step(120 * MINUTE_MS)
    truth = {line["waybill"]: line for line in await place.simulation.truth()}
    for case in cases:
        assert list(faults(case, [rows[case.waybill]], truth[case.waybill])) == [], case
    audit = await place.crowd.ask(wire.AUDIT, operations.OperationServiceAuditRequest())
    assert audit.clean


async def stands(place: Place, status: int, looks: int = 15) -> None:
    """Readiness does not come and go."""
    for _ in range(looks):
        assert (await place.ready())[0] == status
        await asyncio.sleep(0.1)


async def reads(place: Place, case: Case) -> None:
    asked = pb.InterceptServiceGetRequest(interception_id=case.interception)
    answer = await place.once(wire.GET, asked)
    assert isinstance(answer, pb.InterceptServiceGetResponse)


async def registered(place: Place) -> Any:
    """One parcel more."""
    case = place.crowd.case(KINDS[0])
    asked = parcels.ParcelServiceRegisterRequest(parcel=registration(case))
    return await place.once(REGISTER, asked)


async def outlives(place: Place, harm: Any, mend: Any, *, readable: bool = True) -> None:
    """The rhythm of all these faults."""
    waiting = await quoted(place, 8)
    (first, order), *rest = waiting
    await created(place, first, order)
    await asyncio.to_thread(harm)
    async with asyncio.timeout(3 * SOON_S):
        while await registered(place) != DOWN:  # what has room on old pages is still written
            pass
    await place.turns(503)
    assert await place.once(wire.CREATE, rest[0][1]) == DOWN
    await stands(place, 503)
    assert await place.metric("turnback_store_ready") == 0
    if readable:
        await reads(place, first)
    else:
        asked = pb.InterceptServiceGetRequest(interception_id=first.interception)
        assert await place.once(wire.GET, asked) == DOWN
    await asyncio.to_thread(mend)
    await place.turns(200)
    await stands(place, 200)
    for case, request in rest:
        await created(place, case, request)
    await ends(place, [case for case, _ in waiting])


async def whole(place: Place, *around: str) -> None:
    """Every page and every reference: what a backup looks at."""
    said = await place.run("backup", "--to", str(place.fleet.directory / "copy"), around=around)
    assert said.code == 0, said.out + said.err


# -- SQLite -----------------------------------------------------------------------------------


@pytest.mark.timeout(200)
async def test_a_full_disk_is_outlived(tmp_path: Path) -> None:
    with small_disk(24) as disk:
        url = f"sqlite:///{disk.inside}/store.sqlite3"
        async with placed(tmp_path, url, disk.enter) as place:
            await outlives(place, disk.fill, disk.free)
            await whole(place, *disk.enter)


@pytest.mark.timeout(200)
async def test_files_that_may_not_grow_are_outlived(tmp_path: Path) -> None:
    """The journal, the database and the log: every write beyond the limit of the process fails."""
    store = Engine("sqlite", f"sqlite:///{tmp_path}/store.sqlite3")
    async with placed(tmp_path, store.url) as place:
        pid, kind = place.fleet.pid("gateway"), resource.RLIMIT_FSIZE
        _, hard = resource.prlimit(pid, kind)

        def harm() -> None:
            resource.prlimit(pid, kind, (16 * 1024, hard))

        def mend() -> None:
            resource.prlimit(pid, kind, (hard, hard))

        await outlives(place, harm, mend)
        await whole(place)


async def flooded(place: Place, slow: Path) -> None:
    """Every flush takes two seconds, and many come at once."""
    waiting = await quoted(place, 24)
    await asyncio.to_thread(slow.touch)
    answers = await asyncio.gather(*(place.once(wire.CREATE, order) for _, order in waiting))
    shed = [answer for answer in answers if answer == SHED]
    taken = [answer for answer in answers if isinstance(answer, pb.InterceptServiceCreateResponse)]
    assert len(shed) + len(taken) == len(answers), answers
    assert shed
    assert (await place.ready())[0] == 200  # slow is not broken
    some = waiting[:4]
    await asyncio.gather(*(created(place, case, order) for case, order in some))
    await asyncio.to_thread(slow.unlink)
    for case, order in waiting:
        await created(place, case, order)
    await place.crowd.idle()


NO_LEASE_LOST = (
    "SELECT (SELECT COUNT(*) FROM job WHERE crashes > 0) + "
    "(SELECT COUNT(*) FROM event WHERE cause = 'LEASE_ENDED')"
)


@pytest.mark.timeout(200)
async def test_a_slow_disk_sheds_and_loses_no_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in slow_disk(tmp_path).items():
        monkeypatch.setenv(name, value)
    store = Engine("sqlite", f"sqlite:///{tmp_path}/store.sqlite3")
    async with placed(tmp_path, store.url) as place:
        await flooded(place, tmp_path / "slow")
        assert store.table(NO_LEASE_LOST) == [(0,)]


# -- PostgreSQL -------------------------------------------------------------------------------


@asynccontextmanager
async def served(
    made: Cluster, directory: Path, more: str = ""
) -> AsyncIterator[tuple[Place, Engine]]:
    await asyncio.to_thread(made.ask, f"CREATE DATABASE turnback {more}")
    store = Engine("postgres", made.url("turnback"))
    async with placed(directory, store.url) as place:
        yield place, store


@pytest.mark.timeout(200)
async def test_a_postgres_that_is_away_is_outlived(tmp_path: Path) -> None:
    with cluster() as made:
        async with served(made, tmp_path) as (place, _):
            await outlives(place, made.stop, made.start, readable=False)


GOES_ON = {
    *("audit", "gauges", "health", "retention", "scouring", "statements"),
    *("inbox-sweeper", "store-listener", "store-writer", "worker"),
}


def going_on() -> set[str]:
    """What the gateway does beside its calls."""
    return {task.get_name() for task in asyncio.all_tasks()} & GOES_ON


@pytest.mark.timeout(200)
async def test_a_postgres_that_comes_back_as_a_standby_is_outlived(tmp_path: Path) -> None:
    """As between the fall of a leader and the promotion of its standby, behind one address."""
    with cluster() as made:
        await asyncio.to_thread(made.ask, "CREATE DATABASE turnback")
        async with living(made.url("turnback")) as world:
            quote = await world.quote(await world.ship())
            assert going_on() == GOES_ON
            await asyncio.to_thread(made.stop)
            await asyncio.to_thread(made.stand_by)
            for _ in range(5):  # each of them looks a few times meanwhile
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await world.create(quote.id, "standby-0001")
                assert caught.value.code() is Code.UNAVAILABLE
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await world.log("none")
                assert caught.value.code() is Code.UNAVAILABLE
                await asyncio.sleep(1)
            await asyncio.to_thread(made.promote)
            assert going_on() == GOES_ON
            made_one = await patient(lambda: world.create(quote.id, "standby-0001"))
            assert made_one.interception.id
            assert going_on() == GOES_ON


@pytest.mark.timeout(200)
async def test_a_postgres_whose_disk_is_full_is_outlived(tmp_path: Path) -> None:
    """Tables on a full disk; its journal has room, or the server itself would end."""
    with cluster() as made, small_disk(48, made.user) as disk:
        tables = disk.path / "tables"
        await asyncio.to_thread(made.run, "mkdir", str(tables))
        await asyncio.to_thread(made.ask, f"CREATE TABLESPACE small LOCATION '{tables}'")
        async with served(made, tmp_path, "TABLESPACE small") as (place, _):
            await outlives(place, disk.fill, disk.free)


RESOLVING = (  # somebody asks whether a batch was committed, and waits for who holds its row
    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
    "AND query LIKE 'SELECT batch FROM replica%'"
)


@pytest.mark.timeout(200)
async def test_a_commit_of_postgres_that_hangs_is_found_out_about(tmp_path: Path) -> None:
    """A standby that is waited for and is not there: COMMIT does not return, though it took place.
    After twenty seconds the connection is given up, and another one asks what became of it."""
    with cluster() as made:
        async with served(made, tmp_path) as (place, store):
            (hung, order), (other, later) = await quoted(place, 2)
            await asyncio.to_thread(
                made.ask,
                "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
                "SELECT pg_reload_conf()",
            )
            call = asyncio.create_task(place.once(wire.CREATE, order, 120.0))
            await place.turns(503)
            assert await place.once(wire.CREATE, later) == SHED
            asked = pb.InterceptServiceListRequest(page_size=10)
            answer = await place.once(wire.LIST, asked)
            assert isinstance(answer, pb.InterceptServiceListResponse)
            async with asyncio.timeout(60):
                while not await asyncio.to_thread(store.table, RESOLVING):
                    pass
            assert not call.done()
            await asyncio.to_thread(
                made.ask, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"
            )
            assert isinstance(await call, pb.InterceptServiceCreateResponse)
            await place.turns(200)
            for case, request in ((hung, order), (other, later)):
                await created(place, case, request)
            assert store.table("SELECT COUNT(*) FROM interception") == [(2,)]
            await ends(place, [hung, other])


@pytest.mark.timeout(200)
async def test_a_slow_disk_of_postgres_sheds_and_loses_no_lease(tmp_path: Path) -> None:
    with open_to_all() as shared, cluster(env := slow_disk(shared)) as made:
        async with served(made, tmp_path) as (place, store):
            await flooded(place, Path(env[SLOW]))
            assert store.table(NO_LEASE_LOST) == [(0,)]
