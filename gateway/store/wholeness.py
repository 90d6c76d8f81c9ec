"""Whether a SQLite file is whole. A small one is looked through before anything is served.

A large one would keep the gateway away for as long as it takes to read the file, and most of all
after a kill, which harms no file: the log is there for that. It is looked through beside the work.
What is found then is remembered beside the file, so that no later start serves it either, until
the whole of it has been looked through and nothing was found.
"""

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

from gateway.store.driver import StoreError

AT_ONCE = 512 * 2**20  # bytes: a second or two where the system has them, some more from a disk
PRIMARY = 0xFF  # of an error's code: what kind it is
AGAIN_S = 0.02
PATIENCE_S = 60.0  # for a writer that has it to itself


class Wholeness:
    """One look through a file. `damaged` once it has found something: nothing of it may be used."""

    def __init__(self, path: Path, at_once: int = AT_ONCE) -> None:
        """A file of up to so many bytes is looked through at once."""
        self._path = path
        self._at_once = at_once
        self._mark = path.with_name(path.name + ".damaged")
        self._db: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None
        self._ended = False
        self.damaged = False

    def begin(self) -> None:
        """Raises StoreError where it is looked through now, and is damaged."""
        place = f"{self._path.absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(place, PATIENCE_S, uri=True, check_same_thread=False)
        if self._path.stat().st_size > self._at_once and not self._mark.exists():
            self._db = db
            self._thread = threading.Thread(target=self._look, args=(db,), name="store-check")
            self._thread.start()
            return
        with closing(db):
            if not _whole(db):
                raise StoreError(f"{self._path} is damaged: restore it from a backup")
        self._mark.unlink(missing_ok=True)

    def wait(self, most_s: float) -> bool:
        """Whether it has ended within so many seconds."""
        if self._thread is not None:
            self._thread.join(most_s)
        return self._thread is None or not self._thread.is_alive()

    def end(self) -> None:
        """Break it off, if it is still under way."""
        self._ended = True
        if self._db is not None and self._thread is not None:
            while self._thread.is_alive():
                self._db.interrupt()  # which it does not hear before it has begun
                self._thread.join(AGAIN_S)
            self._db.close()
            self._db = None

    def _look(self, db: sqlite3.Connection) -> None:
        try:
            found = not _whole(db)
        except sqlite3.OperationalError as error:  # broken off; or the disk does not give it back
            found = error.sqlite_errorcode & PRIMARY == sqlite3.SQLITE_IOERR
        self.damaged = found and not self._ended  # half a look says nothing
        if self.damaged:
            with suppress(OSError):  # then it is known until the gateway ends
                self._mark.touch()


def _whole(db: sqlite3.Connection) -> bool:
    try:
        found: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # not even the schema can be read
        return False
    return found == "ok"
