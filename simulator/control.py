"""The control API: accounts, parcels, scripts, the clock, faults and the ground truth, as JSON.

For one machine: it refuses a Host that is not its own, and bodies above a limit.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from simulator.bodies import (
    AccountBody,
    CarrierFaultBody,
    ClockBody,
    ParcelBody,
    ParcelsBody,
    ResetBody,
    ScenarioBody,
    ScriptsBody,
    StatementBody,
    first_problem,
)
from simulator.clock import VirtualClock
from simulator.depot import CARRIER_FAULTS_MAX, Account, CarrierFault, Depot, Record
from simulator.dialect import Dialect
from simulator.dialects import DIALECTS
from simulator.outcomes import draw
from simulator.pushes import Pusher
from simulator.statements import CannotBeWrong, statement
from simulator.truth import outcome_name, truth_line
from simulator.world import DEFAULT_JOURNEY, ORDER, Parcel, ReturnNumber

BODY_BYTES_MAX = 8 << 20
DRAIN_SECONDS = 60.0
WAIT_MS_MAX = 30_000
TRUTH_LINES_MAX = 100_000
TRUTH_CHUNK = 200
REQUESTS_MAX = 10_000
ACCOUNTS_MAX = 10_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts that the control API works on."""

    depot: Depot
    clock: VirtualClock
    pusher: Pusher


BENCH = web.AppKey("bench", Bench)
HOST = web.AppKey("host", str)


class Rejected(Exception):
    """The caller's mistake, in words."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


async def _read(request: web.Request, model: type[Model]) -> Model:
    raw = await request.read()
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise Rejected(first_problem(error)) from error


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) > most:
        raise Rejected(f"{name} is a whole number from 0 to {most}")
    return int(text)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only our own name may be asked for: a page in a browser cannot reach us by another."""
    host = request.host.rsplit(":", 1)[0].strip("[]") if request.host else ""
    if not _loopback(host) and host != request.app[HOST]:
        return _json({"error": "this Host is not served"}, 421)
    try:
        return await handler(request)
    except Rejected as error:
        return _json({"error": str(error)}, error.status)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def put_account(request: web.Request) -> web.Response:
    bench, body = request.app[BENCH], await _read(request, AccountBody)
    if body.carrier not in DIALECTS:
        raise Rejected(f"there is no carrier {body.carrier}; there are {', '.join(DIALECTS)}")
    if len(bench.depot.accounts) >= ACCOUNTS_MAX:
        raise Rejected(f"no more than {ACCOUNTS_MAX} accounts", 409)
    account = Account(
        body.carrier,
        body.account,
        body.credentials,
        body.push_url,
        body.options,
        DIALECTS[body.carrier].network,
    )
    bench.depot.put_account(account)
    return _json({"carrier": body.carrier, "account": body.account})


async def post_parcels(request: web.Request) -> web.Response:
    bench, body = request.app[BENCH], await _read(request, ParcelsBody)
    now_ms = bench.clock.now_ms()
    records = []
    for number, parcel in enumerate(body.parcels):
        try:
            records.append(_record(bench.depot, parcel, now_ms))
        except ValueError as error:
            raise Rejected(f"parcels.{number}: {error}") from error
    try:
        bench.depot.add(records)
    except KeyError as error:
        raise Rejected(str(error.args[0]), 409) from error
    for record in records:
        bench.pusher.watch(record)
    return _json({"created": len(records)})


def _record(depot: Depot, body: ParcelBody, now_ms: int) -> Record:
    account = depot.accounts.get((body.carrier, body.account))
    if account is None:
        raise ValueError(f"there is no account {body.account} at {body.carrier}")
    dialect = DIALECTS[body.carrier]
    network = _network(dialect, body.network)
    journey = body.journey.journey() if body.journey else DEFAULT_JOURNEY
    shipped_ms = now_ms if body.shipped_ms is None else body.shipped_ms
    if body.status is not None:
        if body.status not in ORDER:
            raise ValueError(f"a new parcel cannot be {body.status}")
        shipped_ms = now_ms - journey.middle_of(body.status)
    carrying = _carrying(dialect, network)
    numbering = body.return_number or carrying.return_number
    number = draw(depot.seed, body.carrier, body.waybill, "return")
    parcel = Parcel(
        body.carrier,
        body.account,
        body.waybill,
        body.order_id,
        shipped_ms,
        body.sender.contact(),
        body.receiver.contact(),
        body.value_minor,
        numbering,
        body.waybill if numbering is ReturnNumber.SAME else carrying.number(number),
        journey,
        network=network,
    )
    script = body.script.script() if body.script else None
    watched = account.options.push == "all"
    return Record(parcel, account, script, now_ms if watched else None)


def _network(dialect: Dialect, named: str | None) -> str:
    """Who carries it: the carrier itself, or, of an aggregator, the company that is named."""
    known = frozenset(dialect.networks.values()) or {dialect.network}
    if named is None and len(known) == 1:
        return dialect.network
    if named is None or named not in known:
        raise ValueError(f"network: one of {', '.join(sorted(known))}")
    return named


def _carrying(dialect: Dialect, network: str) -> Dialect:
    """Whose numbers it travels under: of an aggregator's parcel, those of who carries it."""
    if not dialect.networks:
        return dialect
    return next((each for each in DIALECTS.values() if each.network == network), dialect)


async def put_scripts(request: web.Request) -> web.Response:
    depot, body = request.app[BENCH].depot, await _read(request, ScriptsBody)
    changes = []
    for setting in body.scripts:
        account = depot.accounts.get((setting.carrier, setting.account))
        record = depot.find(account, setting.waybill, setting.network or "") if account else None
        if record is None or record.parcel.waybill != setting.waybill:
            raise Rejected(f"there is no parcel {setting.waybill}", 404)
        try:
            changes.append((record, setting.script.script()))
        except ValueError as error:
            raise Rejected(f"{setting.waybill}: {error}") from error
    for record, script in changes:
        record.script = script
    return _json({"set": len(changes)})


def _clock_state(clock: VirtualClock) -> dict[str, object]:
    return {
        "now_ms": clock.now_ms(),
        "version": clock.version,
        "scale": clock.scale,
        "frozen": clock.frozen,
    }


async def get_clock(request: web.Request) -> web.Response:
    clock = request.app[BENCH].clock
    if "after" in request.query:
        wait_ms = _number(request, "wait_ms", 10_000, WAIT_MS_MAX)
        await clock.wait_after(_number(request, "after", 0, 2**53), wait_ms)
    return _json(_clock_state(clock))


async def post_clock(request: web.Request) -> web.Response:
    bench, body = request.app[BENCH], await _read(request, ClockBody)
    pusher = bench.pusher
    sent = pusher.sent
    try:
        bench.clock.change(body.set_ms, body.advance_ms, body.scale, body.frozen)
    except ValueError as error:
        raise Rejected(str(error)) from error
    pusher.wake()
    draining = asyncio.ensure_future(pusher.drain())
    done, _ = await asyncio.wait({draining}, timeout=DRAIN_SECONDS)
    for finished in done:
        finished.result()
    return _json(
        {
            **_clock_state(bench.clock),
            "pushes_sent": pusher.sent - sent,
            "pushes_pending": pusher.pending,
        }
    )


async def get_truth(request: web.Request) -> web.StreamResponse:
    bench = request.app[BENCH]
    wanted = {name: request.query.get(name) for name in ("carrier", "account", "waybill")}
    after = _number(request, "after", 0, 2**53)
    limit = _number(request, "limit", TRUTH_LINES_MAX, TRUTH_LINES_MAX)
    now_ms = bench.clock.now_ms()
    found = [
        record
        for record in bench.depot.records.values()
        if wanted["carrier"] in (None, record.parcel.carrier)
        and wanted["account"] in (None, record.parcel.account)
        and wanted["waybill"] in (None, record.parcel.waybill)
    ]
    response = web.StreamResponse()
    response.content_type = "application/x-ndjson"
    await response.prepare(request)
    lines = islice(found, after, after + limit)
    while chunk := list(islice(lines, TRUTH_CHUNK)):
        text = [orjson.dumps(_truth(bench.depot, record, now_ms)) for record in chunk]
        await response.write(b"\n".join(text) + b"\n")
    await response.write_eof()
    return response


def _truth(depot: Depot, record: Record, now_ms: int) -> dict[str, object]:
    chosen, _ = depot.destiny(record, 1, now_ms)
    return truth_line(record, outcome_name(record, chosen), now_ms)


async def post_statement(request: web.Request) -> web.Response:
    """The statement of an account for a period, and what is wrong with it."""
    bench, body = request.app[BENCH], await _read(request, StatementBody)
    if (body.carrier, body.account) not in bench.depot.accounts:
        raise Rejected(f"there is no account {body.account} of {body.carrier}")
    order = body.order(bench.depot.seed)
    try:
        made = statement(bench.depot.records.values(), order, bench.clock.now_ms())
    except (CannotBeWrong, ValueError) as error:
        raise Rejected(str(error)) from error
    return _json(
        {
            "from_ms": order.from_ms,
            "to_ms": order.to_ms,
            "currency": order.currency,
            "total_minor": made.total_minor,
            "csv": made.text(),
            "wrong": [
                {"kind": one.kind.upper(), "waybill": one.waybill, "line_no": one.line_no}
                for one in made.wrong
            ],
        }
    )


async def get_requests(request: web.Request) -> web.Response:
    log = request.app[BENCH].depot.log
    limit = _number(request, "limit", 1000, REQUESTS_MAX)
    tail = list(islice(log, max(0, len(log) - limit), None))
    return _json(
        {
            "requests": [
                {
                    "carrier": carrier,
                    "account": account,
                    "operation": seen.operation,
                    "waybill": seen.waybill,
                    "n": seen.nth,
                    "business_ms": seen.business_ms,
                    "machine_ms": seen.machine_ms,
                    "reference": seen.reference,
                    "executed": seen.executed,
                    "fault": seen.fault,
                    "code": seen.code,
                }
                for carrier, account, seen in tail
            ]
        }
    )


async def post_faults(request: web.Request) -> web.Response:
    faults, body = request.app[BENCH].depot.faults, await _read(request, CarrierFaultBody)
    if body.carrier not in DIALECTS:
        raise Rejected(f"there is no carrier {body.carrier}")
    if len(faults) >= CARRIER_FAULTS_MAX:
        raise Rejected(f"no more than {CARRIER_FAULTS_MAX} faults", 409)
    try:
        faults.append(CarrierFault(body.carrier, body.account, body.fault()))
    except ValueError as error:
        raise Rejected(str(error)) from error
    return _json({"faults": len(faults)})


async def delete_faults(request: web.Request) -> web.Response:
    request.app[BENCH].depot.faults.clear()
    return _json({"faults": 0})


async def post_reset(request: web.Request) -> web.Response:
    bench, body = request.app[BENCH], await _read(request, ResetBody)
    await bench.pusher.forget()
    bench.depot.forget(body.accounts)
    return _json({"reset": True})


async def get_health(request: web.Request) -> web.Response:
    depot = request.app[BENCH].depot
    return _json({"ok": True, "seed": depot.seed, "parcels": len(depot.records)})


async def get_index(_: web.Request) -> web.Response:
    """This list: every call, with the JSON schema of its body, and that of a scenario file."""
    calls = [
        {"call": f"{verb} {path}", "what": what, "body": body and body.model_json_schema()}
        for verb, path, _, body, what in ROUTES
    ]
    return _json({"calls": calls, "scenario": ScenarioBody.model_json_schema()})


ROUTES: tuple[tuple[str, str, Handler, type[BaseModel] | None, str], ...] = (
    ("GET", "/", get_index, None, "This list, and the schema of a scenario file."),
    (
        "POST",
        "/accounts",
        put_account,
        AccountBody,
        "An account of ours: credentials, where to push.",
    ),
    (
        "POST",
        "/parcels",
        post_parcels,
        ParcelsBody,
        "Parcels that a carrier has, and what becomes of them.",
    ),
    ("PUT", "/scripts", put_scripts, ScriptsBody, "What becomes of parcels that are there."),
    (
        "GET",
        "/clock",
        get_clock,
        None,
        "Business time; ?after=<version>&wait_ms= waits for it to move.",
    ),
    ("POST", "/clock", post_clock, ClockBody, "Move business time, or let it run."),
    (
        "GET",
        "/truth",
        get_truth,
        None,
        "What really happened, a line a parcel; ?carrier= &account= &waybill= &after=",
    ),
    (
        "POST",
        "/statements",
        post_statement,
        StatementBody,
        "A carrier's statement, with mistakes to order.",
    ),
    ("GET", "/requests", get_requests, None, "The last requests that carriers have had; ?limit="),
    ("POST", "/faults", post_faults, CarrierFaultBody, "Trouble with a whole carrier."),
    ("DELETE", "/faults", delete_faults, None, "Its end."),
    (
        "POST",
        "/reset",
        post_reset,
        ResetBody,
        "Forget all parcels, and accounts where they are named.",
    ),
    ("GET", "/health", get_health, None, "Whether it is up."),
)


def control_app(bench: Bench, host: str) -> web.Application:
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[guard])
    app[BENCH], app[HOST] = bench, host
    for verb, path, handler, _, _ in ROUTES:
        app.router.add_route(verb, path, handler)
    return app
