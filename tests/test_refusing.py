"""A store that cannot commit: nothing was promised, and nothing of it is there."""

import sqlite3
from pathlib import Path

import pytest

from gateway.clock import Clock
from gateway.failpoints import FailPoints
from gateway.store.sqlite import Store
from gateway.store.writer import Unavailable
from tests.ledgers import START, Desk, terms


class Refusing(FailPoints):
    """The disk is full from the moment it is told to be."""

    full = False

    def hit(self, name: str) -> None:
        if self.full and name.startswith("before_commit"):
            raise sqlite3.OperationalError("database or disk is full")


async def test_what_the_store_refuses_is_not_there(tmp_path: Path) -> None:
    clock, points = Clock(followed=True), Refusing()
    clock.follow(START)
    store = Store(tmp_path / "turnback.db", clock, terms(), points)
    await store.start()
    try:
        desk = Desk(store, clock)
        await desk.opened()
        points.full = True
        with pytest.raises(Unavailable):
            await desk.parcel("sf")
        assert not store.healthy
        assert await desk.table("SELECT COUNT(*) FROM parcel") == [(0,)]
        points.full = False
        await desk.parcel("sf")
        assert store.healthy
        assert await desk.table("SELECT COUNT(*) FROM parcel") == [(1,)]
        assert await store.audit() == []
    finally:
        await store.stop()
