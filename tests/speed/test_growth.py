"""Stores that are made for measuring: as consistent as any, and as large as they say."""

import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.store.audit import Moment
from gateway.store.sqlite import connect, path_of
from gateway.store.store import driver
from loadtest.bench import stage
from loadtest.bench.sides import Phase
from loadtest.fleet import FleetError
from loadtest.growth.lives import Lives, lived
from loadtest.growth.loading import load, room
from loadtest.growth.measure import Curve, Name
from loadtest.growth.multiply import COPY, MERCHANTS, SPAN_MS, copies, key_of, rewritten
from loadtest.growth.report import power
from tests.engines import ENGINES, Engine, engine, now

HOUR_MS = 3_600_000
SIZE = 300
ONCE = {"waybill_service": 2 * MERCHANTS, "agreement": 2 * MERCHANTS, "merchant": MERCHANTS}
each_engine = pytest.mark.parametrize("name", ENGINES)


@pytest.fixture(scope="module")
def lives() -> Lives:
    return now(lived())


def loaded(found: Engine, lives: Lives) -> None:
    async def made() -> None:
        store = driver(found.url)
        await store.migrate()
        await store.close()
        await load(found.url, lives, SIZE)

    now(made())


@each_engine
def test_what_is_copied_is_whole(name: str, lives: Lives, tmp_path: Path) -> None:
    with engine(name, tmp_path) as found:
        loaded(found, lives)
        with found.session() as session:
            assert session.audit(Moment(now=lives.ended_ms + HOUR_MS)) == []
        for table, rows in lives.tables.items():
            ((count,),) = found.table(f"SELECT COUNT(*) FROM {table}")
            per_life = len(rows.rows) * SIZE // lives.count
            if table not in ("account", "transfer", "request"):  # of merchants, and of lives
                assert count == ONCE.get(table, per_life), table
        if name == "sqlite":
            with closing(connect(path_of(found.url), query_only=True)) as db:
                assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        ages = found.table("SELECT MIN(created_at), MAX(created_at) FROM interception")[0]
        assert SPAN_MS * 9 // 10 < ages[1] - ages[0] <= SPAN_MS
        shares = found.table("SELECT COUNT(*) FROM interception GROUP BY merchant")
        assert Counter(shares) == {(SIZE // MERCHANTS,): MERCHANTS}
        (first,) = lives.tables["interception"].rows[:1]
        key = key_of(str(first[0]), SIZE // lives.count - 1)
        assert found.table("SELECT waybill FROM interception WHERE id = ?", key)


def test_books_that_were_not_scaled_are_found(lives: Lives, tmp_path: Path) -> None:
    """The audit looks at copies as at anything else."""
    with engine("sqlite", tmp_path) as found:
        loaded(found, lives)
        with found.session(loose=True) as session:
            session.execute("UPDATE account SET balance = balance + 1 WHERE kind = 'AVAILABLE'")
            rules = {each.rule for each in session.audit(Moment(now=lives.ended_ms + HOUR_MS))}
        assert "M2" in " ".join(rules)


@pytest.mark.parametrize(
    "text",
    [
        "01a21e6e6b368636a71900000f",
        "reply/01a21e6e6b3d8636a719000017",
        "sf/SF2357207940910",
        "mall/request-00000002",
        "top_up:mall:bank-shop-1",
        "zto/zto-main/b2a8bc80bf159406a2b4bb2f76336584cfeac2149efe5bd23b13378f86abec62",
        "01a21e6e6af28636a719000002/000000000002/in_transit/ARRIVAL/1781680950000",
    ],
)
def test_every_copy_has_a_text_of_its_own(text: str, tmp_path: Path) -> None:
    with closing(connect(tmp_path / "copies.db")) as db:
        db.execute(COPY)
        given = [each.row() for each in copies(MERCHANTS)]
        db.executemany("INSERT INTO copy VALUES (?, ?, ?, ?, ?)", given)
        made = [row[0] for row in db.execute(f"SELECT {rewritten(text)} FROM copy ORDER BY n")]
    assert len({*made, text}) == MERCHANTS + 1
    assert made == sorted(made)


@pytest.mark.parametrize("text", ["", "仓储路 18 号", "it's", "198254857714214378", "zto-main"])
def test_what_is_nobodys_own_stays(text: str, tmp_path: Path) -> None:
    with closing(connect(tmp_path / "copies.db")) as db:
        assert db.execute(f"SELECT {rewritten(text)}").fetchone()[0] == text


def test_a_disk_that_is_too_small_is_told_beforehand(tmp_path: Path) -> None:
    room(tmp_path, (1_000,), "sqlite")
    with pytest.raises(FleetError, match=r"need about .* GB, and .* GB free: give smaller --size"):
        room(tmp_path, (1_000, 10**12), "sqlite")


def test_a_size_that_cannot_be_made_is_refused(lives: Lives, tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="a size is a multiple of 100, and not 150"):
        now(load(f"sqlite:///{tmp_path / 'store.db'}", lives, 150))


@pytest.mark.parametrize(("size", "said"), [(1_000, "10³"), (10**7, "10⁷"), (2_500, "2 500")])
def test_sizes_as_they_are_written(size: int, said: str) -> None:
    assert power(size) == said


def curve(costs: dict[int, float]) -> Curve:
    phases = {size: [Phase(1, cost, 1.0, [])] for size, cost in costs.items()}
    return Curve(stage.Engine.SQLITE, Name.GET, phases)


def test_what_is_far_away_is_told_by_both_slopes() -> None:
    by_rows = curve({1_000: 5.0, 10_000: 10.0, 100_000: 19.0, 1_000_000: 109.0})
    assert by_rows.far is not None
    assert by_rows.far[1] == pytest.approx(100.9)
    by_tree = curve({10_000: 10.0, 100_000: 11.0, 1_000_000: 12.0})
    assert by_tree.far is not None
    assert by_tree.far[0] == pytest.approx(1.3)
    assert (by_rows.met, by_tree.met) == (False, True)
    near = curve({1_000: 10.0})
    assert (near.far, near.met, near.base) == (None, None, 1_000)


@pytest.mark.timeout(200)
@each_engine
def test_the_command(name: str, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("turnback-load")), "growth", "--store", name]
    command += ["--size", "1000", "--size", "2000", "--runs", "2", "--count", "4"]
    command += ["--callers", "2", "--out", str(tmp_path), "--json", str(tmp_path / "growth.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "growth.json").read_text("utf-8"))
    assert figures.keys() == {f"{what} {name}" for what in ("create", "list", "get")}
    for curve in figures.values():
        assert curve["sizes"].keys() == {"1000", "2000"}
        assert curve["sizes"]["1000"]["ratios"] == [1.0, 1.0]
        assert len(curve["sizes"]["2000"]["ratios"]) == 2
        assert curve["met"] == (curve["sizes"]["2000"]["ratio"] <= 1.2)
    page = (tmp_path / "growth.md").read_text("utf-8")
    assert page.count("| List by merchant and time |") == 1
    assert ElementTree.parse(tmp_path / "growth.svg").getroot().tag.endswith("svg")
