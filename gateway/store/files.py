"""Copies of a SQLite store: taken while a gateway writes, and put in place of a file that is gone.

A backup is one plain file without a journal beside it.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from gateway.store import schema
from gateway.store.driver import SafeMode, StoreError
from gateway.store.sqlite import connect, lock, migrate, path_of, switch, version
from gateway.store.writer import Unavailable

BESIDE = ("-wal", "-shm", "-journal")
PRIVATE = 0o600  # people's names and addresses are in it


def backup(url: str, target: Path, tools: Path | None) -> int:
    source = path_of(url)
    if not source.exists():
        raise StoreError(f"{source} does not exist: there is nothing to back up")
    part = _new(target)
    try:
        with closing(_reading(source)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)  # in one step: one moment, and writers go on
            new.execute("PRAGMA journal_mode = DELETE")
        found = checked(part)
        part.chmod(PRIVATE)
        _synced(part)
        _named(part, target)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{target} cannot be written: {error}") from error
    finally:
        _gone(part)
    return found


def checked(copy: Path) -> int:
    """The schema's version of a file that is whole, and ours."""
    if not copy.is_file():
        raise StoreError(f"{copy} is no file")
    wal = copy.with_name(copy.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreError(f"{wal} lies beside it: that is a store in use, not a backup")
    try:
        with closing(_reading(copy, immutable=True)) as db:
            if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise StoreError(f"{copy} is damaged")
            if db.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise StoreError(f"{copy} is damaged: rows refer to rows that are not there")
            found = version(db)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{copy} is no backup: {error}") from error
    if not 0 < found <= schema.VERSION:
        raise StoreError(f"{copy}: {schema.strange(found)}")
    return found


@contextmanager
def restoring(
    url: str,
    source: Path,
    tools: Path | None,
    begin: Callable[[int], SafeMode],
    *,
    force: bool,
) -> Iterator[str]:
    path = path_of(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock(path):
        if path.exists() and not force:
            raise StoreError(
                f"{path} exists: move it away, or give --force, which keeps it beside the new one"
            )
        checked(source)
        part = path.with_name(path.name + ".restoring")
        _gone(part)
        try:
            _copied(source, part, begin)
            yield f"sqlite:///{part}"
            with closing(connect(part)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            _synced(part)
            _kept_aside(path)
            part.replace(path)
            _synced(path.parent)
        except (sqlite3.Error, OSError, Unavailable) as error:
            raise StoreError(f"{path} cannot be restored: {error}") from error
        finally:
            _gone(part)
            part.with_name(part.name + ".lock").unlink(missing_ok=True)


def _copied(source: Path, part: Path, begin: Callable[[int], SafeMode]) -> None:
    """The backup as a store of this program's schema, in safe mode."""
    with closing(_reading(source, immutable=True)) as old, closing(sqlite3.connect(part)) as new:
        old.backup(new)
    part.chmod(PRIVATE)
    migrate(part)
    with closing(connect(part)) as db:
        newest: int = db.execute("SELECT COALESCE(MAX(at), 0) FROM event").fetchone()[0]
        switch(db, begin(newest))


def _kept_aside(path: Path) -> None:
    """The store that was here keeps its contents under another name; its journals must not be
    taken for the new one's."""
    if path.exists():
        with suppress(sqlite3.DatabaseError), closing(connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = path.with_name(f"{path.name}.before-{time.time_ns() // 1_000_000}")
        os.link(path, aside)
        for end in BESIDE:
            with suppress(FileNotFoundError):
                os.link(f"{path}{end}", f"{aside}{end}")
    for end in BESIDE:
        path.with_name(path.name + end).unlink(missing_ok=True)


def _reading(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    given = "mode=ro&immutable=1" if immutable else "mode=ro"
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{given}", uri=True)
    db.execute("PRAGMA busy_timeout = 5000")
    return db


def _new(target: Path) -> Path:
    """A name beside the target's, where nothing is yet."""
    if target.exists():
        raise StoreError(f"{target} exists: a backup never replaces anything")
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        part.touch(PRIVATE, exist_ok=False)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}") from error
    return part


def _named(part: Path, target: Path) -> None:
    """Give it its name, unless somebody else has taken that meanwhile."""
    os.link(part, target)
    part.unlink()
    _synced(target.parent)


def _synced(path: Path) -> None:
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def _gone(part: Path) -> None:
    for end in ("", *BESIDE):
        part.with_name(part.name + end).unlink(missing_ok=True)


def new_file(target: Path) -> Path:
    """For the other engine's copies: the same care."""
    return _new(target)


def named(part: Path, target: Path) -> None:
    part.chmod(PRIVATE)
    _synced(part)
    _named(part, target)
