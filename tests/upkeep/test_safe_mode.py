"""A store restored from a backup, beside carriers that went on: nothing is done twice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import operation_service_pb2 as operations
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest import client as wire
from loadtest.cases import MINUTE_MS, Case, Kind, registration
from loadtest.client import fen, yuan
from loadtest.fleet import PAYMENT_AGREEMENT
from loadtest.judge import faults, settled
from tests.engines import ENGINES, engine
from tests.upkeep.place import Place, copying, placed

LATER = {"times": 1}
KINDS = (  # how each stands when the backup is taken
    Kind("sf", "returned", "busy_code", more=LATER),  # QUEUED
    Kind("zto", "returned", "busy_code", more=LATER),
    Kind("sf", "refused", "busy_code", more=LATER),
    Kind("sf", "returned", "reset_after"),  # UNKNOWN
    Kind("zto", "returned", "reset_after"),
    Kind("sf"),  # ACCEPTED
    Kind("zto"),  # PROCESSING
    Kind("zto", withdraw=True),
    Kind("sf", "delivered_anyway"),
)
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


async def sent(place: Place) -> dict[str, int]:
    """What every carrier was asked to do, by waybill, and not merely asked about."""
    return {
        line["waybill"]: sum(
            count
            for operation, count in line["requests_count"].items()
            if operation in ("intercept", "cancel", "claim")
        )
        for line in await place.simulation.truth()
    }


async def standing(place: Place, cases: Sequence[Case]) -> dict[str, Any]:
    found = {}
    for case in cases:
        asked = pb.InterceptServiceGetRequest(interception_id=case.interception)
        found[case.waybill] = (await place.crowd.ask(wire.GET, asked)).interception
    return found


async def refused(place: Place, case: Case) -> None:
    """What would send, spend or promise answers UNAVAILABLE, with a reason and a time."""
    created = pb.InterceptServiceCreateRequest(
        request_id="later-request-1", quote_id="0" * 26, agreement_id=PAYMENT_AGREEMENT
    )
    withdrawn = pb.InterceptServiceCancelRequest(
        request_id="later-request-2", interception_id=case.interception
    )
    topped = wallets.WalletServiceTopUpRequest(
        request_id="later-request-3",
        merchant_id=case.merchant,
        amount=yuan(1),
        external_reference="bank-later",
    )
    key = parcels.ParcelKey(carrier=case.kind.channel, waybill=case.waybill)
    quoted = pb.InterceptServiceQuoteRequest(merchant_id=case.merchant, parcel=key)
    for method, request in (
        (wire.CREATE, created),
        (wire.CANCEL, withdrawn),
        (wire.TOP_UP, topped),
        (wire.QUOTE, quoted),
    ):
        assert await place.once(method, request) == (UNAVAILABLE, "SAFE_MODE", 30.0), method.path


@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", ENGINES)
async def test_a_restored_store_sends_nothing_until_it_is_reconciled(
    name: str, tmp_path: Path
) -> None:
    backup = tmp_path / "backups" / "monday.backup"
    with engine(name, tmp_path) as old, engine(name, tmp_path / "new") as new:
        async with placed(tmp_path, old.url) as place:
            crowd = place.crowd
            known = await crowd.cohort(len(KINDS), KINDS)
            decisions = {w: row.decision for w, row in (await standing(place, known)).items()}
            assert set(decisions.values()) >= {
                pb.DECISION_QUEUED,
                pb.DECISION_UNKNOWN,
                pb.DECISION_ACCEPTED,
                pb.DECISION_PROCESSING,
            }
            said = await place.run("backup", "--to", str(backup), *copying(name))
            assert said.code == 0, said.err
            await place.simulation.move(advance_ms=2 * MINUTE_MS)
            await crowd.idle()  # now the waiting ones are sent, and more are made
            lost = await crowd.cohort(2, (Kind("sf"), Kind("zto")))
            await place.fleet.kill_gateway()
            before = await sent(place)
            assert all(before[case.waybill] for case in (*known, *lost))
            place.store_at(new.url)
            said = await place.run("restore", "--from", str(backup), *copying(name))
            assert said.code == 0, said.out + said.err
            assert "0 violations" in said.out
            said = await place.run("resume")
            assert said.code == 1
            assert "have not been read since the restore" in said.out
            await in_safe_mode(place, known, before)
            said = await place.run("resume")
            assert said.code == 0, said.out + said.err
            await resumed(place, known, before)
            assert new.table("SELECT COUNT(*) FROM safe_mode") == [(0,)]


async def in_safe_mode(place: Place, known: Sequence[Case], before: dict[str, int]) -> None:
    await place.fleet.start_gateway()
    await place.crowd.idle()
    assert await place.ready() == (200, "safe mode")
    assert await place.metric("turnback_safe_mode") == 1
    await refused(place, known[0])
    batch = parcels.ParcelServiceRegisterRequest(parcel=registration(known[0]))
    assert isinstance(
        await place.once(wire.REGISTER, parcels.ParcelServiceBatchRegisterRequest(items=[batch])),
        parcels.ParcelServiceBatchRegisterResponse,
    )
    for _ in range(4):
        await place.crowd.step(20 * MINUTE_MS)
    assert await sent(place) == before, "nothing was sent, and everything was read"
    audit = await place.crowd.ask(wire.AUDIT, operations.OperationServiceAuditRequest())
    assert audit.clean
    truth = {line["waybill"]: line for line in await place.simulation.truth()}
    assert max(line["effects"] for line in truth.values()) == 1


async def resumed(place: Place, known: Sequence[Case], before: dict[str, int]) -> None:
    """Everything settles as the carriers have it; what they do not de-duplicate is not sent."""
    await place.says("ok")
    (fresh,) = await place.crowd.cohort(1, (Kind("sf"),))
    for _ in range(40):
        rows = await standing(place, [*known, fresh])
        if all(map(settled, rows.values())):
            break
        await place.crowd.step(120 * MINUTE_MS)
    truth = {line["waybill"]: line for line in await place.simulation.truth()}
    after = await sent(place)
    for case in (*known, fresh):
        assert list(faults(case, [rows[case.waybill]], truth[case.waybill])) == [], case
        if case.kind.channel == "sf" and case is not fresh:
            assert after[case.waybill] == before[case.waybill]
    audit = await place.crowd.ask(wire.AUDIT, operations.OperationServiceAuditRequest())
    assert audit.clean
    assert place.crowd.violations == []
    held = 0
    for merchant in place.crowd.merchants:
        asked = wallets.WalletServiceGetRequest(merchant_id=merchant)
        held += fen((await place.crowd.ask(wire.WALLET, asked)).wallet.held)
    assert held == 0


@pytest.mark.parametrize("name", ENGINES)
async def test_unread_interceptions_are_let_go_for_a_reason_only(name: str, tmp_path: Path) -> None:
    with engine(name, tmp_path) as store:
        async with placed(tmp_path, store.url) as place:
            (case,) = await place.crowd.cohort(1, (Kind("sf", "returned", "reset_after"),))
            busy = await place.run("restored", "--reason", "by the platform")
            assert (busy.code, "in use" in busy.err) == (3, True)
            await place.fleet.kill_gateway()
            said = await place.run("restored", "--reason", "by the platform, to 11:40")
            assert said.code == 0, said.out + said.err
            assert "1 interceptions may have been sent" in said.out
            assert (await place.run("resume")).code == 1
            said = await place.run("resume", "--accept", "the carrier has closed")
            assert said.code == 0, said.out + said.err
            assert "by the platform, to 11:40" in said.out
            await place.fleet.start_gateway()
            await place.says("ok")
            asked = operations.OperationServiceListExceptionsRequest(
                interception_id=case.interception
            )
            assert len((await place.crowd.ask(wire.EXCEPTIONS, asked)).exceptions) == 1
            [(detail,)] = store.table("SELECT detail FROM exception")
            assert "the carrier has closed" in detail
            again = await place.run("resume")
            assert (again.code, again.out.strip()) == (0, "the store is not in safe mode")
