"""The bare floor under Create: one commit, one POST to the carrier, one commit, and nothing else.

A process of its own that speaks the real messages and writes as many rows as the gateway does,
with the same durability and the same sharing of commits. It decides nothing, checks nothing and
keeps no log: whatever the gateway costs above it is the price of being right.
"""

import asyncio
import base64
import hashlib
import json
import sqlite3
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import aiohttp
import grpc
import grpc.aio
import uvloop

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from loadtest.client import yuan

# The rows of an interception where the carrier's reply is its promise, as the gateway writes them.
# Create: interception, request, two events, transfer, job, attempt; quote and two accounts change.
HOLD_INSERTS, HOLD_UPDATES = 7, 3
# Finish: evidence, two events, transfer, the job that follows; interception, attempt, job and an
# account change.
SETTLE_INSERTS, SETTLE_UPDATES = 5, 4
TEXT = "0" * 160  # the width of a row beside its key and its numbers
BATCH_MAX = 128
LINGER_S = 0.001  # under load
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 4000",
)
TABLE = "CREATE TABLE row (id TEXT PRIMARY KEY, subject TEXT, at INTEGER, body TEXT) STRICT"
INSERT = "INSERT INTO row VALUES (?, ?, ?, ?)"
UPDATE = "UPDATE row SET at = ?, body = ? WHERE id = ?"
FEE = 1_200


@dataclass(slots=True)
class Store:
    """One writing thread; whoever comes during a commit shares the next one."""

    path: Path
    waiting: list[tuple[str, int, int, asyncio.Future[None]]] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        for pragma in PRAGMAS:
            db.execute(pragma)
        db.execute(TABLE)
        return db

    async def write(self, key: str, inserts: int, updates: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((key, inserts, updates, future))
        self.wake.set()
        await future

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        db = await loop.run_in_executor(self.thread, self.open)
        size = 0
        while True:
            if not self.waiting:
                self.wake.clear()
                await self.wake.wait()
            if size > 1:
                await asyncio.sleep(LINGER_S)
            batch, self.waiting = self.waiting[:BATCH_MAX], self.waiting[BATCH_MAX:]
            size = len(batch)
            await loop.run_in_executor(self.thread, commit, db, batch)
            for _, _, _, future in batch:
                if not future.done():
                    future.set_result(None)


def commit(db: sqlite3.Connection, batch: list[tuple[str, int, int, Any]]) -> None:
    """One transaction with the rows of all of them."""
    fresh = [
        (f"{key}/{inserts}/{n}", key, n, TEXT)
        for key, inserts, _, _ in batch
        for n in range(inserts)
    ]
    known = [
        (n, TEXT, f"{key}/{HOLD_INSERTS}/{n}")
        for key, _, updates, _ in batch
        for n in range(updates)
    ]
    db.execute("BEGIN IMMEDIATE")
    db.executemany(INSERT, fresh)
    db.executemany(UPDATE, known)
    db.execute("COMMIT")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to a carrier, signed and written."""

    body: bytes
    headers: dict[str, str]


def ask_zto(given: dict[str, str], key: str, waybill: str) -> Asked:
    asked = {"billCode": waybill, "requestId": key, "thirdBizNo": key, "destinationType": "2"}
    body = json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()
    digest = hashlib.md5(body + given["secret"].encode(), usedforsecurity=False).digest()
    headers = {
        "content-type": "application/json; charset=UTF-8",
        "x-companyid": given["user"],
        "x-datadigest": base64.b64encode(digest).decode(),
    }
    return Asked(body, headers)


def hear_zto(body: bytes) -> str:
    told = json.loads(body)
    return str((told.get("data") or told["result"])["centerBizNo"])


def ask_sf(given: dict[str, str], key: str, waybill: str) -> Asked:
    place = {"province": "浙江省", "city": "嘉兴市", "county": "南湖区"}
    person = {"address": "仓储路 18 号", "contact": "沈仓", "phone": "19900009999"}
    payer = {"role": "1", "payMode": "4", "monthlyCardNo": "7550100001"}
    parcel = {"waybillNo": waybill, "serviceCode": "2", "newDestAddress": place | person}
    text = json.dumps(parcel | payer, ensure_ascii=False, separators=(",", ":"))
    stamp = "1781740800000"
    signed = quote_plus(text + stamp + given["secret"], safe="*").replace("~", "%7E")
    digest = hashlib.md5(signed.encode(), usedforsecurity=False).digest()
    form = {
        "partnerID": given["user"],
        "requestID": str(uuid.uuid4()),
        "serviceCode": "EXP_RECE_WANTED_INTERCEPT",
        "timestamp": stamp,
        "msgDigest": base64.b64encode(digest).decode(),
        "msgData": text,
    }
    headers = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    return Asked(urlencode(form).encode(), headers)


def hear_sf(body: bytes) -> str:
    return str(json.loads(json.loads(body)["apiResultData"])["msgData"]["cusId"])


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier's interface to intercept a parcel, as far as the floor needs it."""

    path: str
    fresh: bool  # a connection for each call, as the gateway has it
    ask: Callable[[dict[str, str], str, str], Asked]
    hear: Callable[[bytes], str]


CARRIERS = {
    "zto": Carrier("/thirdcenter.createIntercept", False, ask_zto, hear_zto),
    "sf": Carrier("/std/service", True, ask_sf, hear_sf),
}


async def serve(given: dict[str, str]) -> None:
    """Answer Create on a free port until the process is ended."""
    store = Store(Path(given["store"]))
    carrier = CARRIERS[given["carrier"]]
    url = given["url"] + carrier.path
    connector = aiohttp.TCPConnector(limit=0, force_close=carrier.fresh)
    session = aiohttp.ClientSession(connector=connector)

    async def create(
        request: pb.InterceptServiceCreateRequest, _: Any
    ) -> pb.InterceptServiceCreateResponse:
        key = uuid.uuid4().hex
        await store.write(key, HOLD_INSERTS, HOLD_UPDATES)
        asked = carrier.ask(given, key, request.quote_id)
        async with session.post(url, data=asked.body, headers=asked.headers) as response:
            reference = carrier.hear(await response.read())
        await store.write(key, SETTLE_INSERTS, SETTLE_UPDATES)
        return answer(key, given["carrier"], request, reference)

    handler: Any = grpc.unary_unary_rpc_method_handler(
        create,
        request_deserializer=pb.InterceptServiceCreateRequest.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
    service = grpc.method_handlers_generic_handler(
        "turnback.v1.InterceptService", {"Create": handler}
    )
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    writer = asyncio.create_task(store.run())
    await server.start()
    print(json.dumps({"ready": True, "grpc": f"127.0.0.1:{port}"}), flush=True)
    await writer


def answer(
    key: str, carrier: str, request: pb.InterceptServiceCreateRequest, reference: str
) -> pb.InterceptServiceCreateResponse:
    return pb.InterceptServiceCreateResponse(
        interception=pb.Interception(
            id=key,
            merchant_id="shop",
            parcel_id=key,
            carrier=carrier,
            network=carrier,
            waybill=request.quote_id,
            decision=pb.DECISION_ACCEPTED,
            movement=pb.MOVEMENT_NONE,
            money=pb.MONEY_STATE_CAPTURED,
            state=pb.INTERCEPTION_STATE_ACCEPTED,
            fee=yuan(FEE),
            cap=yuan(100_000),
            quote_id=request.quote_id,
            request_id=request.request_id,
            agreement_id=request.agreement_id,
            cancel_ticket=request.cancel_ticket,
            carrier_reference=reference,
            refund_advice=pb.REFUND_ADVICE_SAFE_TO_REFUND,
            version=4,
        ),
        refund_advice=pb.REFUND_ADVICE_SAFE_TO_REFUND,
    )


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.stdin.readline())))
