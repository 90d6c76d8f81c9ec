"""Some interceptions lived to their end through the gateway: the rows that all others are made of.

So every table has what the gateway leaves there: parcels, scans, pushes, quotes, requests, events,
attempts, evidence, transfers, finished jobs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.bench.stage import Engine, staged
from loadtest.cases import Kind
from loadtest.fleet import FleetError
from loadtest.ledger import rows

STEPS_MAX = 160  # of the clock until nothing is left to do
KINDS = (
    *(Kind("zto"),) * 4,
    *(Kind("sf"),) * 3,
    Kind("zto", "refused"),
    Kind("sf", "refused"),
    Kind("sf", "delivered_anyway"),
)
TABLES = (  # whoever is referred to comes first
    *("merchant", "agreement", "waybill_service", "parcel", "order_line", "person", "alias"),
    *("subscription", "scan", "incident", "quote", "interception", "attempt", "inbox", "evidence"),
    *("job", "exception", "account", "transfer", "request", "event"),
)
NUMBERED = "position"  # by the store itself
LEFT = "SELECT COUNT(*) FROM job WHERE state <> 'done'"
COLUMNS = "SELECT name FROM pragma_table_info('{table}') ORDER BY cid"
ORDERED = "SELECT {columns} FROM {table} ORDER BY rowid"


@dataclass(frozen=True, slots=True)
class Rows:
    """A table's rows, in the order in which they were written."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Lives:
    """All rows of a store with these interceptions in it, and the business time at its end."""

    tables: Mapping[str, Rows]
    ended_ms: int

    @property
    def count(self) -> int:
        return len(self.tables["interception"].rows)


async def lived() -> Lives:
    async with staged(Engine.SQLITE, "zto") as stage:
        await stage.crowd.cohort(len(KINDS), KINDS)
        url = stage.fleet.store_url
        for _ in range(STEPS_MAX):
            await stage.crowd.step()
            if not (await rows(url, LEFT))[0][0]:
                break
        else:
            raise FleetError("the interceptions never ended")
        if stage.crowd.violations:
            raise FleetError(f"the interceptions went wrong: {stage.crowd.violations[0][1]}")
        ended_ms = await stage.crowd.simulation.now_ms()
        await stage.fleet.stop_gateway()
        return Lives({table: await _all(url, table) for table in TABLES}, ended_ms)


async def _all(url: str, table: str) -> Rows:
    names = [name for (name,) in await rows(url, COLUMNS.format(table=table))]
    names = [name for name in names if name != NUMBERED]
    return Rows(names, await rows(url, ORDERED.format(columns=", ".join(names), table=table)))
