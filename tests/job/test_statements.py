"""What a carrier bills, over real gRPC: the exceptions are the mistakes that were made, exactly."""

import asyncio
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money as WireMoney

from gateway.domain.money import Money
from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import operation_service_pb2 as pb
from gateway.pb.turnback.v1 import operation_service_pb2_grpc as grpcs
from gateway.rpc.reconcile import parts
from gateway.statement_file import read
from gateway.store.rows import TABLES
from tests.engines import ENGINES, Engine, engine
from tests.job.scene import (
    ACCOUNTS,
    DAY,
    FEE,
    MINUTE,
    POWERS,
    START,
    Scene,
    me,
    played,
    stub,
)

FEES: tuple[str, ...] = ("FEE_UNKNOWN_WAYBILL", "FEE_NOT_BILLED", "FEE_DIFFERS", "FEE_BILLED_TWICE")
FEES += ("WRONG_CURRENCY", "FOREIGN_REFERENCE", "FEE_BILLED_THOUGH_REFUSED")
CREDITS = ("REFUND_NOT_CREDITED",)
LATE = ("LATE_ACCEPTANCE_BILLED",)
AWARDS = ("AWARD_UNDERPAID", "AWARD_UNPAID", "PAYMENT_WITHOUT_AWARD")
Told = set[tuple[str, str]]  # kind and waybill


@pytest_asyncio.fixture(params=ENGINES)
async def stage(
    tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Engine, Scene]]:
    with engine(request.param, tmp_path) as made:
        terms = {"billed_within_days": 0, "paid_within_days": 0, "payout": "wallet"}
        async with played(made.url, **terms) as scene:
            yield made, scene


async def lived(scene: Scene) -> None:
    """A month of both carriers: what was stopped, refused, lost, delivered all the same."""
    lost = []
    for carrier, outcomes in (
        ("sf", ("returned",) * 8 + ("refused", "refused", "delivered_anyway", "delivered_anyway")),
        ("zto", ("returned",) * 8 + ("refused", "delivered_anyway", "lost", "lost", "lost")),
        ("sf", ("late_accept",)),
    ):
        for outcome in outcomes:
            waybill = await scene.ship(carrier, outcome)
            answer = await scene.stop(carrier, waybill)
            if outcome == "lost":
                lost.append((answer.interception.id, waybill))
    await scene.rest()
    await scene.pass_time(30 * MINUTE, MINUTE)
    await scene.pass_time(12 * DAY)
    for key, waybill in lost:
        await scene.file(key, waybill, claims.CLAIM_KIND_LOST, 50_000)
    await scene.pass_time(8 * DAY)


async def bill(scene: Scene, carrier: str, *mistakes: str, seed: int = 1, **of: Any) -> Any:
    """The carrier's own statement of all of it."""
    now = (await scene.tell("GET", "/clock"))[0]["now_ms"]
    asked = {
        "carrier": carrier,
        "account": ACCOUNTS[carrier][0],
        "from_ms": START - DAY,
        "to_ms": now,
        "fee_minor": FEE,
        "seed": seed,
        "mistakes": [mistake.lower() for mistake in mistakes],
    }
    return (await scene.tell("POST", "/statements", asked | of))[0]


def requests(carrier: str, number: str, made: Any, **of: Any) -> list[Any]:
    data = made["csv"].encode()
    digest = hashlib.sha256(data).hexdigest()
    every = list(parts(read(data)))
    return [
        pb.OperationServiceImportStatementRequest(
            request_id=f"{digest[:40]}-{place}",
            carrier=carrier,
            account="main",
            sha256=digest,
            statement_no=number,
            period_from=Timestamp(seconds=made["from_ms"] // 1000),
            period_to=Timestamp(seconds=made["to_ms"] // 1000),
            total=owed(made["total_minor"]),
            lines=lines,
            part=place,
            parts=len(every),
            **of,
        )
        for place, lines in enumerate(every, 1)
    ]


def owed(total: int) -> WireMoney:
    """Below zero where the carrier pays more than it bills."""
    units, nanos = Money(total, "CNY").units()
    return WireMoney(currency_code="CNY", units=units, nanos=nanos)


async def send(scene: Scene, *every: Any) -> Any:
    service: Any = stub(grpcs.OperationServiceStub, scene.channel)
    answer = None
    for request in every:
        answer = await service.ImportStatement(request, metadata=me(POWERS), timeout=30)
    return answer


def told(answer: Any) -> Told:
    kinds = pb.ExceptionKind.Name
    return {
        (kinds(one.kind).removeprefix("EXCEPTION_KIND_"), one.waybill) for one in answer.exceptions
    }


def wrong(made: Any) -> Told:
    return {(one["kind"], one["waybill"]) for one in made["wrong"]}


def everything(made: Engine) -> dict[str, list[tuple[Any, ...]]]:
    tables = [table for _, table, _ in TABLES]
    return {table: made.table(f"SELECT * FROM {table} ORDER BY id") for table in tables}


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_exceptions_are_the_mistakes(stage: tuple[Engine, Scene], seed: int) -> None:
    """Every one of the twelve kinds, none missed and none invented; and again changes nothing."""
    made, scene = stage
    await lived(scene)
    seen: set[str] = set()
    for carrier, mistakes in (
        ("sf", FEES + CREDITS + LATE + AWARDS[2:]),
        ("zto", FEES + CREDITS + AWARDS),
    ):
        statement = await bill(scene, carrier, *mistakes, seed=seed)
        every = requests(carrier, f"{carrier}-2026-09", statement)
        answer = await send(scene, *every)
        assert answer.posted
        assert told(answer) == wrong(statement)
        assert answer.exception_count == len(statement["wrong"]) == len(mistakes)
        seen |= {kind for kind, _ in wrong(statement)}
        by_line = {(one.line_no, one.statement_id) for one in answer.exceptions}
        assert by_line >= {(one["line_no"], answer.statement_id) for one in statement["wrong"]}
        await scene.clean()
        before = everything(made)
        again = await send(scene, *every)
        assert again.replayed
        assert again.exception_count == answer.exception_count
        for request in every:  # the same file under other request ids
            request.request_id = f"other-{request.request_id}"
        assert (await send(scene, *every)).replayed
        assert everything(made) == before
    assert len(seen) == 12


async def test_a_statement_that_is_right_calls_nobody(stage: tuple[Engine, Scene]) -> None:
    made, scene = stage
    await lived(scene)
    for carrier in ACCOUNTS:
        statement = await bill(scene, carrier)
        answer = await send(scene, *requests(carrier, "right", statement))
        assert answer.posted
        assert (answer.differing_count, answer.unmatched_count, told(answer)) == (0, 0, set())
        assert answer.matched_count > 8
    open_ = made.table(
        "SELECT id, kind FROM exception WHERE kind LIKE 'FEE%' OR kind LIKE 'AWARD%'"
    )
    assert open_ == []
    await scene.clean()


async def test_a_fee_billed_for_what_was_never_answered_is_the_answer(
    stage: tuple[Engine, Scene],
) -> None:
    """SF can be asked nothing about an interception: a bill is the first that is heard of it."""
    _, scene = stage
    waybill = await scene.ship(
        "sf", "returned", {"name": "reset_after"}, params={"turn_ms": 20 * DAY}
    )
    answer = await scene.stop("sf", waybill)
    await scene.rest()
    await scene.pass_time(60 * MINUTE, 10 * MINUTE)
    key = answer.interception.id
    assert (await scene.get(key)).decision == 4  # UNKNOWN
    statement = await bill(scene, "sf")
    assert not (await send(scene, *requests("sf", "early", statement))).exceptions
    found = await scene.get(key)
    assert (found.decision, found.money) == (5, 3)  # ACCEPTED, CAPTURED
    await scene.pass_time(DAY)
    await scene.clean()


async def test_what_a_carrier_did_twice_it_bills_twice(stage: tuple[Engine, Scene]) -> None:
    _, scene = stage
    waybill = await scene.ship("sf", "returned", "executes_twice")
    await scene.stop("sf", waybill)
    await scene.rest()
    await scene.pass_time(6 * DAY)
    statement = await bill(scene, "sf")
    answer = await send(scene, *requests("sf", "twice", statement))
    assert told(answer) == wrong(statement) == {("FEE_BILLED_TWICE", waybill)}
    await scene.clean()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("turnback")
    return subprocess.run(
        [program, "reconcile", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_an_operator_sends_the_carriers_file(
    stage: tuple[Engine, Scene], tmp_path: Path
) -> None:
    _, scene = stage
    for _ in range(3):
        await scene.stop("sf", await scene.ship("sf", "returned"))
    await scene.rest()
    await scene.pass_time(6 * DAY)
    statement = await bill(scene, "sf", "FEE_DIFFERS")
    file, token = tmp_path / "sf.csv", tmp_path / "token"
    file.write_text(statement["csv"], "utf-8")
    token.write_text(f"{POWERS}\n", "utf-8")
    options = ["--to", scene.address, "--token-file", str(token), "--carrier", "sf"]
    options += ["--statement-no", "S1", "--from", iso(statement["from_ms"])]
    options += ["--until", iso(statement["to_ms"]), "--account", "main"]
    total = str(Money(statement["total_minor"], "CNY")).split()[0]

    wrong_total = await asyncio.to_thread(command, str(file), *options, "--total", "1.00")
    assert wrong_total.returncode == 3
    assert wrong_total.stderr.splitlines()[-1].startswith("FAILED_PRECONDITION: STATEMENT_TOTAL")
    done = await asyncio.to_thread(command, str(file), *options, "--total", total)
    assert done.returncode == 1, done.stderr
    first, last = done.stdout.splitlines()
    assert "FEE_DIFFERS" in first
    assert re.search(r": (\d+\.\d\d) CNY, not 8\.00 CNY$", first)
    assert "2 lines matched, 1 differ, 0 are not ours, 1 exceptions" in last
    again = await asyncio.to_thread(command, str(file), *options, "--total", total, "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["replayed"] is True
    other = await asyncio.to_thread(
        command, str(file), *options, "--total", total, "--statement-no", "S2"
    )
    assert other.returncode == 3
    assert other.stderr.splitlines()[-1].startswith("this file was imported before, with another")
    bad = tmp_path / "bad.csv"
    bad.write_text(statement["csv"].replace(",8.00,", ",8.001,", 1), "utf-8")
    broken = await asyncio.to_thread(command, str(bad), *options, "--total", total)
    assert broken.returncode == 2
    assert "amount: finer than the minor unit" in broken.stderr
    for code, said, more in (
        (2, "plaintext off loopback is refused", ["--to", "10.0.0.1:50051"]),
        (2, "a host and a port", ["--to", "127.0.0.1"]),
        (2, "no PEM certificate", ["--ca-file", str(file)]),
        (3, "UNAVAILABLE", ["--to", "127.0.0.1:1"]),
    ):
        away = await asyncio.to_thread(command, str(file), *options, "--total", total, *more)
        assert away.returncode == code
        assert said in away.stderr
        assert "Traceback" not in away.stderr
