"""The working snapshot of a batch: rows by kind and id, and what has been changed.

Decisions read and put rows here and nowhere else. One decision's puts can be taken back whole, so
a refusal leaves no trace; the next decision of the batch sees what the ones before it put.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, TypeVar


class Row(Protocol):
    """One row of one table: a record whose `id` is the primary key.

    `PARENT` names the field that holds the id of the row it belongs to ("" where it has none).
    """

    PARENT: ClassVar[str]

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Row)
Rows = dict[str, Any]


class Book:
    """Rows of one batch. `loaded` rows are updated, all others inserted."""

    def __init__(self) -> None:
        self._rows: defaultdict[type[Any], Rows] = defaultdict(dict)
        self._children: defaultdict[tuple[type[Any], str], dict[str, None]] = defaultdict(dict)
        self._loaded: defaultdict[type[Any], set[str]] = defaultdict(set)
        self._changed: defaultdict[type[Any], Rows] = defaultdict(dict)
        self._undo: list[tuple[type[Any], str, Any, bool]] = []

    def load(self, row: Row) -> None:
        """Take in a row as the store has it; a row that is here already is left alone."""
        kind, key = type(row), row.id
        rows = self._rows[kind]
        if key not in rows:
            rows[key] = row
            self._loaded[kind].add(key)
            if kind.PARENT:
                self._children[kind, getattr(row, kind.PARENT)][key] = None

    def get(self, kind: type[R], key: str) -> R | None:
        found: R | None = self._rows[kind].get(key)
        return found

    def need(self, kind: type[R], key: str) -> R:
        """A row that must have been loaded: its absence is our bug, not the caller's."""
        row: R = self._rows[kind][key]
        return row

    def of(self, kind: type[R], parent: str) -> list[R]:
        """The rows of a kind that belong to `parent`, in the order they came."""
        rows = self._rows[kind]
        return [rows[key] for key in self._children.get((kind, parent), ())]

    def all(self, kind: type[R]) -> list[R]:
        return list(self._rows[kind].values())

    def put(self, row: R) -> R:
        """A new row, or a new version of one. A row never changes its parent."""
        kind, key = type(row), row.id
        rows, changed = self._rows[kind], self._changed[kind]
        before = rows.get(key)
        self._undo.append((kind, key, before, key in changed))
        changed[key] = rows[key] = row
        if before is None and kind.PARENT:
            self._children[kind, getattr(row, kind.PARENT)][key] = None
        return row

    def keep(self) -> None:
        """The decision stands."""
        self._undo.clear()

    def mark(self) -> int:
        """A place to undo to, inside a decision."""
        return len(self._undo)

    def undo(self, mark: int = 0) -> None:
        """Take back every put since the mark; without one, since the last `keep`."""
        for kind, key, before, was_changed in reversed(self._undo[mark:]):
            rows, changed = self._rows[kind], self._changed[kind]
            if before is None:
                gone = rows.pop(key)
                if kind.PARENT:
                    del self._children[kind, getattr(gone, kind.PARENT)][key]
            else:
                rows[key] = before
            if was_changed:
                changed[key] = before
            else:
                del changed[key]
        del self._undo[mark:]

    def changes(self) -> Iterator[tuple[type[Any], list[Any], list[Any]]]:
        """Per kind: the rows to insert and the rows to update."""
        for kind, rows in self._changed.items():
            if rows:
                loaded = self._loaded[kind]
                known = [row for key, row in rows.items() if key in loaded]
                fresh = [row for key, row in rows.items() if key not in loaded]
                yield kind, fresh, known
