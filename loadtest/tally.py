"""What many runs came to: kills by store and point, added up in a file that a run goes on from."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MOMENT = "a random moment"
PAUSE = "a pause"
DATABASE = "the database"
NO_KILLS = (PAUSE, DATABASE)  # of a gateway
VERSION = 1
KEPT_MAX = 100  # violations that are kept in words


@dataclass(slots=True)
class Row:
    """What one point did."""

    point: str
    kills: int = 0
    restarts: int = 0
    acknowledged: int = 0
    settled: int = 0
    violations: int = 0


@dataclass(slots=True)
class Store:
    """All runs on one engine."""

    runs: int = 0
    interceptions: int = 0
    quiet_s: float = 0.0  # the longest time from the last kill until all was settled
    done: dict[str, int] = field(default_factory=dict)  # by point
    violations: int = 0

    @property
    def kills(self) -> int:
        return sum(count for point, count in self.done.items() if point not in NO_KILLS)


@dataclass(slots=True)
class Tally:
    """Every store's sums, and the first violations in words."""

    stores: dict[str, Store] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path | None) -> "Tally":
        """What was kept; nothing where there is no such file yet. Raises ValueError."""
        if path is None or not path.exists():
            return cls()
        kept = json.loads(path.read_text("utf-8"))
        if not isinstance(kept, dict) or kept.get("version") != VERSION:
            raise ValueError(f"{path} is no tally of crash runs")
        stores = {name: Store(**given) for name, given in kept["stores"].items()}
        return cls(stores, list(kept["violations"]))

    def save(self, path: Path) -> None:
        """Whole, or not at all."""
        kept = {"version": VERSION, **asdict(self)}
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", "utf-8")
        os.replace(part, path)

    def add(
        self, name: str, rows: Iterable[Row], interceptions: int, quiet_s: float, wrong: list[str]
    ) -> None:
        """One run more."""
        store = self.stores.setdefault(name, Store())
        store.runs += 1
        store.interceptions += interceptions
        store.quiet_s = round(max(store.quiet_s, quiet_s), 1)
        store.violations += len(wrong)
        for row in rows:
            store.done[row.point] = store.done.get(row.point, 0) + row.kills
        self.violations = [*self.violations, *(f"{name}: {each}" for each in wrong)][:KEPT_MAX]

    @property
    def kills(self) -> int:
        return sum(store.kills for store in self.stores.values())

    @property
    def wrong(self) -> int:
        return sum(store.violations for store in self.stores.values())

    def as_json(self) -> Mapping[str, Any]:
        return {"kills": self.kills, "violation_count": self.wrong, **asdict(self)}
