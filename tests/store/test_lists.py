"""Lists go in by an index at any size, and say the same as a look at every row.

A plan is judged on both engines; the same statement with its way in blocked has to be found out.
"""

import itertools
import json
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from re import compile as regex
from typing import Any

import asyncpg
import pytest

from gateway.clock import Clock
from gateway.rpc import paging
from gateway.rpc.wallet import transfers
from gateway.store.postgres import READING
from gateway.store.rows import LISTED, NUMBERS, chosen, queries
from gateway.store.sets import written as numbered
from gateway.store.sqlite import path_of, place
from gateway.store.store import Store, driver
from tests.engines import ENGINES, Engine, engine, now
from tests.ledgers import terms
from tests.lists import MERCHANTS, START, TENANTS, Row, Rows, generated, written

MANY, FEW = 4_000, 160  # parcels
PAGE = 40
NAMED = queries(lambda name: f":{name}")
END = {"cursor_at": paging.POSITION_MAX, "cursor_id": "", "after": 0, "limit": PAGE}
BLANK: Mapping[str, Row] = {  # no filter given, beside those that always are
    "interceptions": {
        **dict.fromkeys(("merchant", "channel", "stands", "decisions", "moneys"), ""),
        **dict.fromkeys(("waybill", "order_no", "cancel_ticket"), ""),
        **END,
    },
    "claims": {
        **dict.fromkeys(("merchant", "channel", "states", "interception", "waybill"), ""),
        **END,
    },
    "transfers_of_merchant": {
        **dict.fromkeys(("interception", "claim", "source", "target", "wanted"), ""),
        **END,
    },
    "exceptions": {
        **dict.fromkeys(("merchant", "channel", "interception", "claim", "statement"), ""),
        **{"wanted": "", "open": 0, "before": paging.POSITION_MAX, "limit": PAGE},
        **{"cursor_at": 0, "cursor_id": ""},
    },
}
SHOP = MERCHANTS[0]


@pytest.fixture(params=ENGINES, scope="module")
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with engine(request.param, tmp_path_factory.mktemp("many")) as found:
        written(found, generated(1, MANY, MANY // 2))
        yield found


# -- plans ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Way:
    """How a list is gone into with these filters: by which indexes, and whether in their order."""

    query: str
    given: Row
    indexes: tuple[str, ...]
    walked: bool = False

    @property
    def params(self) -> dict[str, Any]:
        always = {"tenant": "mall", "merchant": SHOP}
        return {**always, **BLANK[self.query], **self.given}

    def __str__(self) -> str:
        return f"{self.query}-{'-'.join(self.given)}"


NUMBERED = ("parcel_by_waybill", "alias_by_number")
BESIDE = {"merchant": SHOP, "channel": "sf", "after": START}
WAYS = (
    Way("interceptions", {"waybill": "W7"}, ("interception_of_parcel", *NUMBERED)),
    Way("interceptions", {"order_no": "O7"}, ("interception_of_parcel", "order_line_by_order")),
    Way("interceptions", {"cancel_ticket": "T7"}, ("interception_by_ticket",)),
    Way("interceptions", {"merchant": SHOP}, ("interception_by_merchant",), walked=True),
    Way("interceptions", {}, ("interception_by_time",), walked=True),
    Way("interceptions", {"waybill": "W7", **BESIDE}, ("interception_of_parcel", *NUMBERED)),
    Way("interceptions", {"cancel_ticket": "T7", **BESIDE}, ("interception_by_ticket",)),
    Way("claims", {"interception": "i-000007"}, ("claim_of_parcel",)),
    Way("claims", {"waybill": "W7"}, ("claim_of_parcel", *NUMBERED)),
    Way("claims", {"merchant": SHOP}, ("claim_by_merchant",), walked=True),
    Way("claims", {}, ("claim_by_time",), walked=True),
    Way("claims", {"waybill": "W7", **BESIDE}, ("claim_of_parcel", *NUMBERED)),
    Way("transfers_of_merchant", {"claim": "claim-000007"}, ("transfer_of_award",)),
    Way("transfers_of_merchant", {"interception": "i-000007"}, ("transfer_of_interception",)),
    Way("transfers_of_merchant", {"source": f"HELD:{SHOP}:CNY"}, ("transfer_by_source",), True),
    Way("transfers_of_merchant", {"target": f"HELD:{SHOP}:CNY"}, ("transfer_by_target",), True),
    Way(
        "exceptions",
        {"claim": "claim-000007"},
        ("exception_of_subject", "difference_of_claim"),
    ),
    Way(
        "exceptions",
        {"interception": "i-000007"},
        ("exception_of_subject", "difference_of_interception", "claim_of_parcel"),
    ),
    Way("exceptions", {"statement": f"{1:032x}"}, ("difference_of_statement",)),
    Way("exceptions", {"open": 1}, ("exception_open",), walked=True),
    Way("exceptions", {}, ("exception_by_time",), walked=True),
)
each_way = pytest.mark.parametrize("way", WAYS, ids=str)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine means to do: the indexes it uses and where in them it looks, the tables it
    goes through whole, and whether it sorts all that it finds."""

    indexes: Mapping[str, str]
    scanned: frozenset[str]
    sorts: bool

    def faults(self, way: Way) -> Iterator[str]:
        for table in sorted(self.scanned):
            yield f"goes through {table}"
        for index in way.indexes:
            if index not in self.indexes:
                yield f"without {index}"
            elif way.walked and not CURSOR.search(self.indexes[index]):
                yield f"not from the cursor on in {index}"
        if way.walked and self.sorts:
            yield "sorts"


CURSOR = regex(r"\(\w+,id\)[<>]\(|ROW\(\w+, id\) [<>] ROW\(")
SEARCH = regex(r"^(?:SEARCH|SCAN) \w+ USING (?:COVERING )?INDEX (\w+)(?: \((.*)\))?$")
SCAN = regex(r"^SCAN (\w+)")
SORTS = "USE TEMP B-TREE FOR ORDER BY"


def of_sqlite(found: Engine, body: str, params: Row) -> Plan:
    with closing(sqlite3.connect(path_of(found.url))) as db:
        told = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {body}", params)]
    searched = [match for line in told if (match := SEARCH.match(line))]
    return Plan(
        indexes={match[1]: match[2] or "" for match in searched},
        scanned=frozenset(match[1] for line in told if (match := SCAN.match(line))),
        sorts=SORTS in told,
    )


def of_postgres(found: Engine, body: str, params: Row) -> Plan:
    nodes = list(_nodes(now(_explained(found.url, body, params))))
    whole = [node for node in nodes if "Scan" in node["Node Type"] and "Index Cond" not in node]
    return Plan(
        indexes={
            node["Index Name"]: node.get("Index Cond", "") for node in nodes if "Index Name" in node
        },
        scanned=frozenset(
            node.get("Relation Name", node.get("Index Name"))
            for node in whole
            if node["Node Type"] not in ("Bitmap Heap Scan", "Subquery Scan")
        ),
        sorts=any(node["Node Type"] == "Sort" for node in nodes),
    )


async def _explained(url: str, body: str, params: Row) -> Mapping[str, Any]:
    """No table is too small for an index then: one that is gone through has none that serves."""
    db = await asyncpg.connect(url, server_settings={"enable_seqscan": "off", **READING})
    try:
        query = numbered(body)
        told = await db.fetchval(f"EXPLAIN (FORMAT JSON) {query.text}", *query.values(params))
        plan: Mapping[str, Any] = json.loads(told)[0]["Plan"]
        return plan
    finally:
        await db.close()


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


PLANS: Mapping[str, Callable[[Engine, str, Row], Plan]] = {
    "sqlite": of_sqlite,
    "postgres": of_postgres,
}


@each_way
def test_a_list_goes_in_by_its_index(many: Engine, way: Way) -> None:
    query = chosen(NAMED, way.query, way.params)
    plan = PLANS[many.name](many, query.body, way.params)
    assert list(plan.faults(way)) == [], plan


AT_ONCE = {name: query for name, query in NAMED.items() if query.at_once}
GIVEN: Mapping[str, Any] = (
    dict.fromkeys((p for q in AT_ONCE.values() for p in q.parameters), "x")
    | dict.fromkeys(NUMBERS, 1)
    | {name: ["x"] for name in LISTED}
)


ORDER = regex(r" ORDER BY [\w., ]+?(?= LIMIT|\)|;|$)")  # an index that has it would hide the scan


def looked_through(found: Engine, body: str) -> set[str]:
    """The tables that PostgreSQL goes through for a statement, however it is kept from it."""
    nodes = _nodes(now(_explained(found.url, ORDER.sub("", body), GIVEN)))
    whole = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    return whole - {"safe_mode"}  # which has one row


@pytest.mark.parametrize("name", AT_ONCE)
@pytest.mark.parametrize("many", ["postgres"], indirect=True)
def test_what_is_read_at_once_is_found_by_its_key_in_postgres(many: Engine, name: str) -> None:
    assert looked_through(many, AT_ONCE[name].body) == set()


@pytest.mark.parametrize("many", ["postgres"], indirect=True)
def test_a_table_that_is_gone_through_in_postgres_is_found_out(many: Engine) -> None:
    body = AT_ONCE["exceptions_of"].body.replace("subject = :subject", "subject || '' = :subject")
    assert looked_through(many, body) == {"exception"}


AT_TIMES: Mapping[str, Row] = {
    "parcels_to_purge": {"before": START, "limit": PAGE},
    "pushes_to_purge": {"before": START, "limit": PAGE},
    "open_lanes": {},
}
PART = regex(r"^SCAN \w+ USING INDEX job_(due|leased)$")  # of all that has not ended


@pytest.mark.parametrize("name", AT_TIMES)
def test_what_is_looked_for_beside_the_work_is_found_by_an_index(many: Engine, name: str) -> None:
    body = NAMED[name].body
    if many.name == "postgres":
        nodes = _nodes(now(_explained(many.url, body, AT_TIMES[name])))
        assert [n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"] == []
    else:
        with closing(sqlite3.connect(path_of(many.url))) as db:
            told = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {body}", AT_TIMES[name])]
        assert [line for line in told if SCAN.match(line) and not PART.match(line)] == []


COVERED = {"sqlite": "COVERING INDEX order_line_of_parcel", "postgres": "Index Only Scan"}


def test_order_numbers_are_read_from_their_index_alone(many: Engine) -> None:
    """A page of fifty interceptions has a hundred and fifty lines, on as many pages of the disk."""
    body = AT_ONCE["beside"].body
    if many.name == "postgres":
        nodes = list(_nodes(now(_explained(many.url, body, GIVEN))))
        told = [n["Node Type"] for n in nodes if n.get("Index Name") == "order_line_of_parcel"]
    else:
        with closing(sqlite3.connect(path_of(many.url))) as db:
            text = queries(place)["beside"].text
            steps = db.execute(f"EXPLAIN QUERY PLAN {text}", {"keys": "[]"})
            told = [row[3] for row in steps if "order_line_of_parcel" in row[3]]
    assert len(told) == 1
    assert COVERED[many.name] in told[0]


BLOCKED = (  # a condition, and the same so that no index serves it
    (" = :{way}", " || '' = :{way}"),
    ("AND exception.closed_at IS NULL", "AND COALESCE(exception.closed_at, 0) = 0"),
)
FROM = regex(r"\((\w+\.)?(created_at|filed_at|opened_at|at), ")


@each_way
def test_a_way_in_that_is_blocked_is_found_out(many: Engine, way: Way) -> None:
    """The same statement with its own condition written so that no index can serve it."""
    body = chosen(NAMED, way.query, way.params).body
    for param in {"tenant", *way.given}:
        for plain, blocked in BLOCKED:
            body = body.replace(plain.format(way=param), blocked.format(way=param))
    if way.query == "exceptions" and not way.given:
        body = FROM.sub(r"(\1\2 + 0, ", body)
    plan = PLANS[many.name](many, body, way.params)
    assert list(plan.faults(way)) != [], plan


@pytest.mark.parametrize("way", [way for way in WAYS if way.walked], ids=str)
def test_a_page_that_does_not_begin_at_its_cursor_is_found_out(many: Engine, way: Way) -> None:
    body = FROM.sub(r"(\1\2 + 0, ", chosen(NAMED, way.query, way.params).body)
    plan = PLANS[many.name](many, body, way.params)
    assert list(plan.faults(way)) != [], plan


# -- rows -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """A row of a list, and per filter the values that it answers to."""

    at: int
    id: str
    answers: Mapping[str, set[str]]

    def fits(self, asked: Mapping[str, set[str]], since: int, until: int) -> bool:
        inside = self.at >= since and (not until or self.at < until)
        return inside and all(values & self.answers[name] for name, values in asked.items())


def looked_up(rows: Sequence[Row], key: str, value: str) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row[key]].add(row[value])
    return found


def plain(row: Row, *names: str) -> dict[str, set[str]]:
    return {name: {row[name]} for name in names}


def numbers(tables: Mapping[str, list[dict[str, Any]]]) -> Callable[[str], set[str]]:
    own = looked_up(tables["parcel"], "id", "waybill")
    returns = looked_up(tables["alias"], "parcel", "waybill")
    return lambda parcel: own[parcel] | returns[parcel]


def interceptions(rows: Rows) -> Iterator[Seen]:
    waybills = numbers(rows.tables)
    orders = looked_up(rows.tables["order_line"], "parcel", "order_no")
    for row in rows.tables["interception"]:
        answers = plain(row, "tenant", "merchant", "channel", "cancel_ticket")
        answers |= {"waybill": waybills(row["parcel"]), "order_no": orders[row["parcel"]]}
        answers |= {"decisions": {row["decision"]}, "moneys": {row["money"]}}
        answers |= {"stands": {f"{row['decision']}/{row['movement']}"}}
        yield Seen(row["created_at"], row["id"], answers)


def claims(rows: Rows) -> Iterator[Seen]:
    waybills = numbers(rows.tables)
    for row in rows.tables["claim"]:
        answers = plain(row, "tenant", "merchant", "channel", "interception")
        answers |= {"waybill": waybills(row["parcel"]), "states": {row["state"]}}
        yield Seen(row["filed_at"], row["id"], answers)


def entries(rows: Rows) -> Iterator[Seen]:
    owners = {row["id"]: row["owner"] for row in rows.tables["account"]}
    claimed = looked_up(rows.tables["award"], "id", "claim")
    for row in rows.tables["transfer"]:
        ends = {owners.get(row["source"], ""), owners.get(row["target"], "")}
        answers = {"merchant": ends, "claim": claimed[row["award"]], "wanted": {row["kind"]}}
        yield Seen(row["at"], row["id"], answers | plain(row, "interception"))


def exceptions(rows: Rows) -> Iterator[Seen]:
    by = {name: {row["id"]: row for row in rows.tables[name]} for name in ABOUT}
    for row in rows.tables["exception"]:
        told = by["difference"].get(row["id"], {})
        claim = by["claim"].get(told.get("claim") or row["subject"], {})
        subject = told.get("interception") or claim.get("interception") or row["subject"]
        ic = by["interception"].get(subject, {})
        statement = by["statement"].get(told.get("statement"), {})
        channel = statement.get("channel") or ic.get("channel") or claim.get("channel")
        nobodys = row["tenant"] == "" and not ic and not claim
        answers = {
            "tenant": set(TENANTS) if nobodys else {row["tenant"]},
            "merchant": {ic.get("merchant") or claim.get("merchant")},
            "channel": {channel},
            "interception": {ic.get("id")},
            "claim": {claim.get("id")},
            "statement": {told.get("statement")},
            "wanted": {row["kind"]},
            "open": {"" if row["closed_at"] else "open"},
        }
        yield Seen(row["opened_at"], row["id"], answers)


ABOUT = ("difference", "claim", "interception", "statement")
SEEN: Mapping[str, tuple[Callable[[Rows], Iterator[Seen]], str]] = {  # and the filter always given
    "interceptions": (interceptions, "tenant"),
    "claims": (claims, "tenant"),
    "transfers_of_merchant": (entries, "merchant"),
    "exceptions": (exceptions, "tenant"),
}
SEVERAL = {"stands", "decisions", "moneys", "states", "wanted"}
AGED = ("since", "until")
ROUNDS = 2  # over all combinations, with other values


def asked_for(chance: random.Random, seen: Sequence[Seen], names: Sequence[str]) -> Iterator[Any]:
    """Every combination of filters, with values that mostly are those of some row."""
    for present in list(itertools.product((False, True), repeat=len(names))) * ROUNDS:
        row = chance.choice(seen)
        times = {"since": 0, "until": 0}
        asked: dict[str, set[str]] = {}
        for name in itertools.compress(names, present):
            if name in AGED:
                times[name] = row.at + chance.randrange(-5, 40) * (-1 if name == "since" else 1)
                continue
            if name == "open":
                asked[name] = {"open"}
                continue
            other = chance.choice(seen) if chance.random() < 0.1 else row
            values = {value for value in other.answers[name] if value}
            asked[name] = {chance.choice(sorted(values))} if values else {"nothing"}
            if name in SEVERAL and chance.random() < 0.5:
                asked[name] |= chance.choice(seen).answers[name]
        yield row, asked, times


def params_of(query: str, asked: Mapping[str, set[str]]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, values in asked.items():
        given[name] = paging.listed(sorted(values)) if name in SEVERAL else next(iter(values))
    if query == "exceptions":
        given["open"] = int("open" in asked)
    return {**BLANK[query], **given}


async def paged(store: Store, query: str, params: dict[str, Any], since: int, until: int) -> Any:
    """Ids, page by page, as the services turn them."""
    found: list[str] = []
    at = paging.FIRST
    while True:
        if query == "exceptions":
            start, ends = paging.oldest(since, at), {"before": until or paging.POSITION_MAX}
        else:
            start, ends = paging.newest(until, at), {"after": since}
        page = {**params, **ends, "cursor_at": start[0], "cursor_id": start[1]}
        if query == "transfers_of_merchant":
            rows = [(row.at, row.id) for row in await transfers(store, page)]
        else:
            rows = [(row[TIME[query]], row["id"]) for row in await store.table(query, **page)]
        found += [key for _, key in rows]
        if len(rows) < PAGE:
            return found
        at = rows[-1]


TIME = {"interceptions": "created_at", "claims": "filed_at", "exceptions": "opened_at"}


@pytest.fixture(params=ENGINES, scope="module")
def few(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with engine(request.param, tmp_path_factory.mktemp("few")) as found:
        written(found, rows := generated(2, FEW, FEW // 4))
        yield found, rows


@pytest.mark.timeout(240)
@pytest.mark.parametrize("query", SEEN)
def test_a_list_is_what_a_look_at_every_row_finds(few: tuple[Engine, Rows], query: str) -> None:
    """For every combination of filters, over pages that begin where the one before ended."""
    found, rows = few
    view, always = SEEN[query]
    seen = sorted(view(rows), key=lambda row: (row.at, row.id), reverse=query != "exceptions")
    names = [*(name for name in seen[0].answers if name != always), *AGED]

    async def compared() -> tuple[int, int]:
        store = Store(driver(found.url), Clock(), terms())
        met, none = 0, 0
        for row, asked, times in asked_for(random.Random(query), seen, names):
            of = {always: {sorted(row.answers[always] - {""})[0]}, **asked}
            if random.Random(str(asked)).random() < 0.05:
                of[always] = {"elsewhere"}
            wanted = [each.id for each in seen if each.fits(of, times["since"], times["until"])]
            given = await paged(store, query, params_of(query, of), **times)
            assert given == wanted, (of, times)
            met, none = met + bool(wanted), none + (not wanted)
        await store.stop()
        return met, none

    met, none = now(compared())
    assert min(met, none) > ROUNDS * 2 ** len(names) // 8
