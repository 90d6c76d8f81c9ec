"""The working snapshot of a batch: rows by kind and id, and what has been changed.

Decisions read and put rows here and nowhere else. One decision's puts can be taken back whole, so
a refusal leaves no trace; the next decision of the batch sees what the ones before it put.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol, TypeVar


class Row(Protocol):
    """One row of one table: a frozen dataclass whose `id` is the primary key.

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
        self._rows: dict[type[Any], Rows] = {}
        self._children: dict[tuple[type[Any], str], dict[str, None]] = {}
        self._loaded: set[tuple[type[Any], str]] = set()
        self._changed: dict[type[Any], Rows] = {}
        self._undo: list[tuple[type[Any], str, Any, bool]] = []

    def load(self, row: Row) -> None:
        """Take in a row as the store has it; a row that is here already is left alone."""
        kind = type(row)
        if row.id not in self._rows.setdefault(kind, {}):
            self._loaded.add((kind, row.id))
            self._place(row)

    def get(self, kind: type[R], key: str) -> R | None:
        found: R | None = self._rows.get(kind, {}).get(key)
        return found

    def need(self, kind: type[R], key: str) -> R:
        """A row that must have been loaded: its absence is our bug, not the caller's."""
        row: R = self._rows[kind][key]
        return row

    def of(self, kind: type[R], parent: str) -> list[R]:
        """The rows of a kind that belong to `parent`, in the order they came."""
        rows = self._rows.get(kind, {})
        return [rows[key] for key in self._children.get((kind, parent), {})]

    def all(self, kind: type[R]) -> list[R]:
        return list(self._rows.get(kind, {}).values())

    def put(self, row: R) -> R:
        kind = type(row)
        changed = self._changed.setdefault(kind, {})
        before = self._rows.get(kind, {}).get(row.id)
        self._undo.append((kind, row.id, before, row.id in changed))
        changed[row.id] = row
        self._place(row)
        return row

    def keep(self) -> None:
        """The decision stands."""
        self._undo.clear()

    def undo(self) -> None:
        """Take back every put since the last `keep`."""
        for kind, key, before, was_changed in reversed(self._undo):
            if before is None:
                gone = self._rows[kind].pop(key)
                parent = getattr(gone, kind.PARENT, "") if kind.PARENT else ""
                self._children.get((kind, parent), {}).pop(key, None)
            else:
                self._place(before)
            if was_changed:
                self._changed[kind][key] = before
            else:
                del self._changed[kind][key]
        self._undo.clear()

    def changes(self) -> Iterator[tuple[type[Any], list[Any], list[Any]]]:
        """Per kind: the rows to insert and the rows to update."""
        for kind, rows in self._changed.items():
            if rows:
                known = [row for key, row in rows.items() if (kind, key) in self._loaded]
                fresh = [row for key, row in rows.items() if (kind, key) not in self._loaded]
                yield kind, fresh, known

    def _place(self, row: Row) -> None:
        kind = type(row)
        self._rows.setdefault(kind, {})[row.id] = row
        if kind.PARENT:
            parent = getattr(row, kind.PARENT)
            self._children.setdefault((kind, parent), {})[row.id] = None
