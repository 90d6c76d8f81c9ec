"""The subscriber against the simulator, over HTTP, on both stores."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters import ADAPTERS
from gateway.clock import Clock
from gateway.domain.carrier import Answer, Status
from gateway.domain.fees import DAY_MS, Contract, Policy, Terms
from gateway.domain.merchant import UpsertMerchant
from gateway.domain.parcel import Merchant, OrderLine, StoreStatus, Subscription
from gateway.domain.register import RegisterParcel
from gateway.domain.subscribing import NEVER, Wanted
from gateway.runner import Endpoint, Http, Runner
from gateway.store.store import Store, driver
from gateway.subscriber import Subscriber, parts
from simulator.outcomes import Scenario
from simulator.running import Settings, running
from tests.dialects.bench import NOW, bench
from tests.engines import ENGINES, engine
from tests.ledgers import SHOP, TENANT

PATIENCE_S = 10.0
MERCHANT = Merchant(
    SHOP, TENANT, "pop_sop", False, True, StoreStatus.OPERATING, True, True, "CNY", 0
)
LINE = OrderLine("", "", "O1", "1", 1, True, "", "books", 1, 9_900, 9_900, 9_900)


class Place:
    """A simulated carrier, a store, and the subscriber between them."""

    store: Store
    subscriber: Subscriber

    def __init__(self, name: str, control: str, session: aiohttp.ClientSession) -> None:
        self.name = name
        self.control = control
        self.session = session
        self.calls: list[tuple[str, Answer]] = []
        self.clock = Clock(followed=True)
        self.clock.follow(NOW)
        self.committed = asyncio.Event()

    async def post(self, path: str, body: Mapping[str, Any]) -> None:
        async with self.session.post(f"{self.control}/{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def seen(self) -> list[dict[str, Any]]:
        async with self.session.get(f"{self.control}/requests") as answer:
            told = await answer.json()
        return [one for one in told["requests"] if one["operation"] == "subscribe"]

    async def register(self, *waybills: str) -> None:
        for waybill in waybills:
            await self.store.run(
                RegisterParcel(
                    TENANT, SHOP, self.name, ADAPTERS[self.name].network, "main", waybill,
                    Status.UNKNOWN, (LINE,), (),
                )
            )  # fmt: skip

    async def rows(self) -> list[Subscription]:
        return await self.store.rows(Subscription, "subscriptions_due", now=2**60, limit=1000)

    async def until(self, done: Any) -> list[Subscription]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.committed.clear()
                rows = await self.rows()
                if done(rows):
                    return rows
                await self.committed.wait()


@asynccontextmanager
async def placed(name: str, store_url: str) -> AsyncIterator[Place]:
    made = bench(name)
    async with (
        running(Settings(start_ms=NOW, frozen=True), Scenario()) as addresses,
        aiohttp.ClientSession() as session,
    ):
        place = Place(name, addresses.control, session)
        account = {"carrier": name, "account": made.account.name}
        options = {"push": "subscribed"}
        secrets = dict(made.account.credentials)
        await place.post("accounts", account | {"credentials": secrets, "options": options})
        url = f"{addresses.carriers}/{name}"
        sites = dict.fromkeys(ADAPTERS[name].sites, url)
        credentials = {**made.credentials, **sites}
        adapter = ADAPTERS[name]
        endpoint = Endpoint(adapter, "main", url, credentials, made.settings, 4, 20, 5.0, 1.0)
        terms = Terms(
            ADAPTERS,
            {name: Contract(channel=name)},
            Policy(),
            {(name, "main"): made.settings},
            {},
            subscribes=frozenset({name}),
        )
        place.store = Store(driver(store_url), place.clock, terms)
        place.store.batches.append(lambda _: place.committed.set())
        http = Http()
        runner = Runner(
            place.clock,
            lambda: str(uuid.uuid4()),
            lambda _, operation, answer, __: place.calls.append((operation, answer)),
            http.send,
        )
        place.subscriber = Subscriber(place.store, runner, place.clock, {(name, "main"): endpoint})
        await driver(store_url).migrate()
        await place.store.start()
        await http.start()
        await place.store.run(UpsertMerchant(MERCHANT))
        place.subscriber.start()
        try:
            yield place
        finally:
            await place.subscriber.stop(10)
            await http.stop()
            await place.store.stop()


@pytest.mark.parametrize("store", ENGINES)
async def test_a_registered_parcel_is_subscribed_and_renewed(store: str, tmp_path: Path) -> None:
    """UPS forgets a subscription after 14 days."""
    with engine(store, tmp_path) as database:
        async with placed("ups", database.url) as place:
            waybill = bench("ups").waybill()
            parcel = {"carrier": "ups", "account": bench("ups").account.name, "waybill": waybill}
            await place.post("parcels", {"parcels": [parcel]})
            await place.register(waybill)
            (row,) = await place.until(lambda rows: rows and rows[0].due_at > NOW + DAY_MS)
            assert row.due_at == NOW + 13 * DAY_MS
            place.clock.follow(NOW + 13 * DAY_MS)
            place.subscriber.wake()
            (row,) = await place.until(lambda rows: rows[0].due_at > NOW + 20 * DAY_MS)
            assert row.due_at == NOW + 26 * DAY_MS
            assert [one["waybill"] for one in await place.seen()] == [waybill, waybill]


async def test_one_strange_number_does_not_keep_others_out(tmp_path: Path) -> None:
    """J&T takes many numbers in a request; one that it does not know is asked for again, alone."""
    with engine("sqlite", tmp_path) as database:
        async with placed("jt", database.url) as place:
            known = [bench("jt").waybill() + str(n) for n in range(3)]
            shipped = {"carrier": "jt", "account": bench("jt").account.name}
            await place.post("parcels", {"parcels": [shipped | {"waybill": w} for w in known]})
            await place.register(*known)
            rows = await place.until(lambda rows: all(row.due_at == NEVER for row in rows))
            assert len(rows) == 3


def test_what_was_refused_goes_alone() -> None:
    def wanted(number: int, alone: bool) -> Wanted:
        return Wanted(str(number), "jt", "main", "jt", f"JT{number}", "", alone)

    these = [wanted(n, alone=n % 4 == 3) for n in range(10)]
    found = [[each.waybill for each in part] for part in parts(these, 3)]
    assert found == [
        ["JT0", "JT1", "JT2"],
        ["JT4", "JT5", "JT6"],
        ["JT8", "JT9"],
        ["JT3"],
        ["JT7"],
    ]
