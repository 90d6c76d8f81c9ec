"""After the load: what was not answered is repeated, and business time goes on until all has ended.

Nothing new is asked for. A Create whose answer was lost is repeated with its request_id, as the
error contract says; claims that nobody had time for are filed; desks decide; carriers pay.
"""

from collections import Counter
from collections.abc import Mapping

import grpc
import grpc.aio

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from loadtest import client as wire
from loadtest import gather, telling
from loadtest.compensation import Claimant
from loadtest.drive import Driver, Restless
from loadtest.evidence import Asked, Filing
from loadtest.scenario import DAY_MS, MINUTE_MS, Parcel
from loadtest.traffic.diary import Line, Told

RESTS_MAX = 6  # patience of a rest, so often, for what the load has left
DAYS = 8  # then whatever is open must have its reason
HOUR_MS = 60 * MINUTE_MS
STEPS = (  # until so long after the load, steps of
    (10 * MINUTE_MS, MINUTE_MS),
    (HOUR_MS, 10 * MINUTE_MS),
    (12 * HOUR_MS, HOUR_MS),
    (4 * DAY_MS, 4 * HOUR_MS),
)
LONG_STEP_MS = 12 * HOUR_MS
QUIET_MS = 3 * HOUR_MS  # not asked before whether all has ended
UNDECIDED = frozenset({"QUEUED", "SENDING", "PROCESSING", "UNKNOWN"})
PROMISED = frozenset({"ACCEPTED", "LATE_ACCEPTED"})
ON_THE_WAY = frozenset({"NONE", "RETURNING"})
OPEN_CLAIMS = frozenset({"FILED", "UNDER_REVIEW", "PARTLY_AWARDED"})


async def settle(driver: Driver, claimant: Claimant, told: Told) -> int:
    """Until nothing moves any more. How many Creates had to be repeated for an answer."""
    await rest(driver)
    repeated = 0
    for key, asking in told.asked.items():
        if _unanswered(told.visits.get(key)):
            parcel = claimant.parcels[key]
            told.visits[key] = await _repeat(driver, parcel, asking)
            repeated += 1
    adopt(claimant, told)
    await rest(driver)
    began_ms = driver.now_ms
    while driver.now_ms < began_ms + DAYS * DAY_MS:
        since_ms = driver.now_ms - began_ms
        target_ms = driver.now_ms + step(since_ms)
        if driver.next_due_ms is not None:
            target_ms = min(target_ms, max(driver.next_due_ms, driver.now_ms + 1))
        await driver.move_to(target_ms)
        await claimant.look()
        if since_ms > QUIET_MS and driver.next_due_ms is None and await ended(driver):
            break
    return repeated


def step(since_ms: int) -> int:
    return next((length for until, length in STEPS if since_ms < until), LONG_STEP_MS)


async def rest(driver: Driver) -> None:
    for tries in range(RESTS_MAX):
        try:
            await driver.rest()
        except Restless:
            if tries == RESTS_MAX - 1:
                raise
        else:
            return


def _unanswered(line: Line | None) -> bool:
    return line is None or (not line["created"] and bool(line.get("again", "refused" not in line)))


async def _repeat(driver: Driver, parcel: Parcel, asking: Line) -> Line:
    """The Create that was about to be sent, once more as it was."""
    line: Line = {
        "carrier": parcel.carrier,
        "waybill": parcel.waybill,
        "quoted": True,
        "unmet": [],
        "quoted_fee": asking["quoted_fee"],
        "created": [],
    }
    try:
        answer = await driver.client.call(wire.CREATE, telling.creation(parcel, asking["quote"]))
    except grpc.aio.AioRpcError as error:
        return line | {"refused": f"{error.code().name} {error.details()}"}
    shown = answer.interception
    return line | {"created": [shown.id], "created_fee": wire.fen(shown.fee)}


def adopt(claimant: Claimant, told: Told) -> None:
    """The claims that callers have filed, for the desk and for the count."""
    grounds: dict[tuple[str, str], list[Line]] = {}
    for line in told.claims:
        grounds.setdefault((line["interception"], line["ground"]), []).append(line)
    for (interception, kind), lines in grounds.items():
        if all("claim" in line for line in lines) and len(lines) == _lines(claimant, lines[0]):
            claimant.seen(interception, kind)
            for line in lines:
                claimant.adopt(_filing(line))


def _lines(claimant: Claimant, line: Line) -> int:
    parcel = claimant.parcels[line["carrier"], line["waybill"]]
    return sum(len(order.lines) for order in parcel.orders)


def _filing(line: Line) -> Filing:
    return Filing(
        claim=line["claim"],
        carrier=line["carrier"],
        waybill=line["waybill"],
        kind=line["ground"],
        loss=line["loss"],
        value=line["value"],
    )


async def ended(driver: Driver) -> bool:
    """Every interception, as it was last seen, and every claim."""
    decision, movement = intercepts.Decision.Name, intercepts.Movement.Name
    for one in driver.watcher.newest.values():
        decided = decision(one.decision).removeprefix("DECISION_")
        moved = movement(one.movement).removeprefix("MOVEMENT_")
        if decided in UNDECIDED or one.money == intercepts.MONEY_STATE_HELD:
            return False
        if decided in PROMISED and moved in ON_THE_WAY:
            return False
    return not any(c.state in OPEN_CLAIMS for c in await gather.all_claims(driver.client))


def asked(parcels: Mapping[tuple[str, str], Parcel], told: Told) -> tuple[Asked, ...]:
    """What the clients asked for and were told, parcel by parcel: those never asked for as well."""
    found = []
    for key, parcel in parcels.items():
        line = told.visits.get(key) or told.asked.get(key) or {}
        created = tuple(line.get("created", ()))
        found.append(
            Asked(
                carrier=parcel.carrier,
                waybill=parcel.waybill,
                status=parcel.status,
                merchant=parcel.merchant,
                case=parcel.case,
                outcome=parcel.outcome,
                expected_unmet=(),
                quoted=line.get("quoted_fee") is not None,
                unmet=tuple(line.get("unmet", ())),
                quoted_fee=line.get("quoted_fee"),
                request_id=f"create/{parcel.waybill}" if created else "",
                created=created,
                created_fee=line.get("created_fee", 0),
                refused=line.get("refused", ""),
            )
        )
    return tuple(found)


def reasons(told: Told) -> Counter[str]:
    """Why callers went without an interception, in the gateway's words."""
    return Counter(line["refused"] for line in told.visits.values() if line.get("refused"))
