"""A store that cannot commit: nothing was promised, and nothing of it is there."""

import sqlite3
from pathlib import Path

import asyncpg
import pytest

from gateway.clock import Clock
from gateway.failpoints import FailPoints
from gateway.store.store import Store, driver
from gateway.store.writer import Unavailable
from tests.engines import ENGINES, engine
from tests.ledgers import START, Desk, terms

FULL = {
    "sqlite": sqlite3.OperationalError("database or disk is full"),
    "postgres": asyncpg.DiskFullError("could not extend file: no space left on device"),
}


class Refusing(FailPoints):
    """The disk is full from the moment it is told to be."""

    full = False

    def __init__(self, engine: str) -> None:
        super().__init__()
        self._error = FULL[engine]

    def hit(self, name: str) -> None:
        if self.full and name.startswith("before_commit"):
            raise self._error


@pytest.mark.parametrize("name", ENGINES)
async def test_what_the_store_refuses_is_not_there(name: str, tmp_path: Path) -> None:
    clock, points = Clock(followed=True), Refusing(name)
    clock.follow(START)
    with engine(name, tmp_path) as made:
        await driver(made.url).migrate()
        store = Store(driver(made.url), clock, terms(), points)
        await store.start()
        try:
            desk = Desk(made, store, clock)
            await desk.opened()
            points.full = True
            with pytest.raises(Unavailable):
                await desk.parcel("sf")
            assert not store.healthy
            assert made.table("SELECT COUNT(*) FROM parcel") == [(0,)]
            points.full = False
            await desk.parcel("sf")
            assert store.healthy
            assert made.table("SELECT COUNT(*) FROM parcel") == [(1,)]
            assert await store.audit() == []
        finally:
            await store.stop()
