"""Retention on a real file: after the purge none of the personal bytes is left in it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.assembly import Gateway
from gateway.config import load
from gateway.domain.carrier import Answer, ClaimKind, Delivery, Status, Verdict
from gateway.domain.claim import FileClaim, Proof
from gateway.domain.fees import DAY_MS, HOUR_MS, Policy
from gateway.domain.interception import InboxStatus
from gateway.domain.parcel import OrderLine, Parcel, Person
from gateway.domain.push import ApplyPush
from gateway.domain.quote import MakeQuote
from gateway.domain.record import replace
from gateway.domain.register import RegisterParcel
from gateway.domain.retention import BATCH_MAX, Purged, PurgePersonal
from gateway.retention import FOUND_MAX, PARCELS, PUSHES, purge
from gateway.store.audit import Moment
from gateway.store.sqlite import connect, path_of
from gateway.store.store import driver
from tests.engines import ENGINES, Engine, engine
from tests.ledgers import SHOP, TENANT, Desk, M, month, opened

LONG_AGO = 1_600_000_000_000  # September 2020: old for every gateway that asks what time it is
KEPT_MS = Policy().retention_ms
CANARY = "canary-"
TURNBACK = Path(sys.executable).parent / "turnback"


def canary(what: str, number: int) -> str:
    return f"{CANARY}{what}-{number}-" + what * 9


def person(role: str, number: int) -> Person:
    fields = ("name", "phone", "province", "city", "district", "street")
    return Person("", "", role, *(canary(f"{role}-{field}", number) for field in fields))


async def registered(desk: Desk, number: int) -> str:
    waybill = f"SF{9_000_000_000_000 + number}"
    line = OrderLine(
        "", "", f"c{number}", "1", 1, False, canary("title", number), "apparel", 1, 5000, 0, 0
    )
    people = (person("sender", number), person("receiver", number))
    await desk.store.run(
        RegisterParcel(TENANT, SHOP, "sf", "sf", "a", waybill, Status.UNKNOWN, (line,), people)
    )
    return waybill


async def pushed(desk: Desk, waybill: str, number: int) -> None:
    """A push longer than a page of the file, kept and then applied: its row is written twice."""
    body = (canary("body", number) * 300).encode()
    key = await desk.receive("sf", body)
    scan = replace(desk.scan(waybill, M.IN_TRANSIT), place=canary("place", number))
    await desk.store.run(ApplyPush(key, "sf", Delivery(key, (waybill,), (scan,))))


async def claimed(desk: Desk, number: int) -> None:
    """Returned and damaged, with a claim that names people, decided."""
    waybill = await registered(desk, number)
    await pushed(desk, waybill, number)
    ic = await desk.create("sf", waybill=waybill)
    await desk.answer(ic, Verdict.ACCEPTED, reference=f"cus-{number}")
    await desk.see(ic, M.RETURNING, place=canary("way", number))
    await desk.see(ic, M.DAMAGED, M.RETURN_SIGNED, signer=canary("signer", number))
    proofs = (
        Proof("", "", "photo", f"https://x/{canary('uri', number)}", "", "a" * 64, 0),
        Proof("", "", "letter", "", canary("letter", number), "b" * 64, 0),
    )
    told = canary("description", number)
    filed = await desk.store.run(
        FileClaim(
            TENANT, f"f{number}", ic, ClaimKind.DAMAGED, f"c{number}", "1", 3000, "CNY", told,
            "clerk", proofs,
        )
    )  # fmt: skip
    await desk.decide(filed.claim.id, 3000)


def left_in(path: Path) -> int:
    """How often a canary is found in the bytes of the store's files."""
    files = [path, *path.parent.glob(f"{path.name}-*")]
    return sum(file.read_bytes().count(CANARY.encode()) for file in files)


@pytest.fixture(params=ENGINES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(request.param, tmp_path) as new:
        yield new


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Engine]:
    """Whose bytes can be looked through."""
    with engine("sqlite", tmp_path) as new:
        yield new


async def test_not_a_byte_is_left(file: Engine) -> None:
    path = path_of(file.url)
    desk = await opened(file)
    for number in range(20):
        await claimed(desk, number)
        await registered(desk, 100 + number)
    assert left_in(path) > 1_000
    desk.later(KEPT_MS)
    assert await purge(desk.store, desk.clock.now(), KEPT_MS) == Purged(40, 20)
    assert await desk.store.scour()
    assert left_in(path) == 0
    assert file.table("SELECT COUNT(*) FROM proof WHERE sha256 = ?", "a" * 64) == [(20,)]
    hashes = {sha256((canary("body", n) * 300).encode()).hexdigest() for n in range(20)}
    kept = file.table("SELECT sha256 FROM inbox")
    assert hashes == {digest for (digest,) in kept}
    moment = Moment(now=desk.clock.now() + 2 * DAY_MS, machine_ms=desk.clock.machine_ms())
    await desk.store.stop()
    assert await driver(file.url).audit(moment) == []
    assert left_in(path) == 0


async def test_the_log_is_not_emptied_under_a_reader(file: Engine) -> None:
    path = path_of(file.url)
    desk = await opened(file)
    await registered(desk, 1)
    with closing(connect(path, query_only=True)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM person").fetchone() == (2,)
        desk.later(KEPT_MS)
        assert await purge(desk.store, desk.clock.now(), KEPT_MS)
        assert not await desk.store.scour()
        reader.execute("COMMIT")
    assert await desk.store.scour()
    assert left_in(path) == 0
    await desk.store.stop()


async def test_what_is_looked_up_is_what_is_decided(made: Engine) -> None:
    """The query and the decision say the same of a ledger that holds every outcome."""
    policy = Policy(retention_ms=40 * DAY_MS)
    desk = await opened(made, policy=policy)
    store, clock = desk.store, desk.clock
    await month(desk)
    sizes = []
    for hours in (31 * 24, *[24] * 13, 40 * 24):
        desk.later(hours * HOUR_MS)
        wanted = {"before": clock.now() - policy.retention_ms, "limit": FOUND_MAX}
        found = {row["id"] for row in await store.table(PARCELS, **wanted)}
        pushes = {row["id"] for row in await store.table(PUSHES, **wanted)}
        every = [key for (key,) in made.table("SELECT id FROM parcel ORDER BY id")]
        inbox = tuple(key for (key,) in made.table("SELECT id FROM inbox"))
        before = {key for (key,) in made.table("SELECT id FROM parcel WHERE purged_at > 0")}
        erased = Purged(0, 0)
        for start in range(0, len(every), BATCH_MAX):
            erased += await store.run(PurgePersonal(tuple(every[start : start + BATCH_MAX]), inbox))
        after = {key for (key,) in made.table("SELECT id FROM parcel WHERE purged_at > 0")}
        assert after - before == found
        assert erased == Purged(len(found), len(pushes))
        sizes.append(len(found))
    assert len([size for size in sizes if size]) >= 3, sizes
    assert 0 < sum(sizes) < len(every)
    await store.stop()


async def test_more_than_one_look_is_erased_in_one_run(made: Engine) -> None:
    desk = await opened(made)
    many = FOUND_MAX + 10
    await asyncio.gather(*(registered(desk, number) for number in range(many)))
    desk.later(KEPT_MS)
    assert await purge(desk.store, desk.clock.now(), KEPT_MS) == Purged(many, 0)
    await desk.store.stop()


async def test_a_parcel_that_was_erased_can_be_registered_and_quoted_again(made: Engine) -> None:
    policy = Policy(retention_ms=60 * DAY_MS)
    desk = await opened(made, at=LONG_AGO, policy=policy)
    store, clock = desk.store, desk.clock
    waybill = await registered(desk, 1)
    desk.later(60 * DAY_MS)
    assert await purge(store, clock.now(), policy.retention_ms)
    read = Answer(Verdict.RECEIVED, scans=(desk.scan(waybill, M.PICKED_UP),))
    refusal = await store.run(MakeQuote(TENANT, SHOP, "sf", waybill, read))
    assert [str(one.why) for one in refusal.unmet] == ["WAYBILL_NOT_YOURS"]
    await registered(desk, 1)
    [parcel] = await store.rows(Parcel, "parcel_by_number", network="sf", waybill=waybill)
    assert (parcel.purged_at, parcel.epoch) == (0, 1)
    people = await store.rows(Person, "people_of_parcel", parcel=parcel.id)
    assert {p.name for p in people} == {person("sender", 1).name, person("receiver", 1).name}
    assert (await store.run(MakeQuote(TENANT, SHOP, "sf", waybill, read))).quote is not None
    await store.stop()


# -- by itself, and by command ---------------------------------------------------------------

SETTINGS = """
[store]
url = "sqlite:///{path}"
[push]
port = 0
[metrics]
port = 0
[grpc]
port = 0
[carriers.sf]
base_url = "http://127.0.0.1:9"
[carriers.sf.accounts.a]
credentials = {{ partner_id = "x", checkword = "y" }}
[test]
plaintext = true
"""


async def _old(path: Path) -> None:
    desk = await opened(Engine("sqlite", f"sqlite:///{path}"), at=LONG_AGO)
    waybill = await registered(desk, 1)
    await pushed(desk, waybill, 1)
    await desk.receive("sf", b"\xff" + CANARY.encode(), status=InboxStatus.QUARANTINED)
    await desk.store.stop()


@pytest.fixture
async def settings(tmp_path: Path) -> Path:
    file = tmp_path / "turnback.toml"
    file.write_text(SETTINGS.format(path=tmp_path / "old.sqlite3"), "utf-8")
    await _old(tmp_path / "old.sqlite3")
    return file


def command(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [TURNBACK, *words], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    return done.returncode, (done.stdout or done.stderr).strip()


async def test_the_command_says_what_it_would_do_and_does_it(settings: Path) -> None:
    path = settings.parent / "old.sqlite3"
    before = left_in(path)
    told = "purge: 1 parcels, 2 pushes older than 180 days"
    assert command("purge", "-c", str(settings), "--dry-run") == (0, f"{told} to be erased")
    assert left_in(path) == before
    assert command("purge", "-c", str(settings)) == (0, f"{told} erased")
    assert left_in(path) == 0, "what no carrier's reader could read, and no person has, too"
    nothing = "purge: 0 parcels, 0 pushes older than 180 days erased"
    assert command("purge", "-c", str(settings)) == (0, nothing)


def test_the_command_needs_a_store(tmp_path: Path) -> None:
    file = tmp_path / "turnback.toml"
    file.write_text(SETTINGS.format(path=tmp_path / "none.sqlite3"), "utf-8")
    code, said = command("purge", "-c", str(file))
    assert code == 3
    assert "there is no store" in said
    assert not (tmp_path / "none.sqlite3").exists()


async def test_a_gateway_erases_by_itself(settings: Path) -> None:
    gateway = Gateway(load(settings))
    await gateway.start()
    try:
        for _ in range(500):
            if left_in(settings.parent / "old.sqlite3") == 0:
                break
            await asyncio.sleep(0.02)
        assert left_in(settings.parent / "old.sqlite3") == 0
        assert await gateway.store.table(PARCELS, before=2**62, limit=1) == []
    finally:
        await gateway.stop()
