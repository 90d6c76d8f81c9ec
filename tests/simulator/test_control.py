"""The control API: what it takes, what it refuses, and the command that serves it."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from io import BytesIO

import pytest

from simulator.outcomes import Scenario
from tests.simulator.desk import DAY_MS, HOUR_MS, START_MS, Desk

PARCEL = {"carrier": "sf", "account": "P1", "waybill": "SF1"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("POST", "/accounts", {"carrier": "dhl", "account": "A"}, 400, "no carrier"),
        (
            "POST",
            "/accounts",
            {"carrier": "sf", "account": "A", "push_url": "ftp://x"},
            400,
            "push_url",
        ),
        ("POST", "/accounts", {"carrier": "sf", "account": "A", "extra": 1}, 400, "extra"),
        ("POST", "/parcels", {"parcels": [PARCEL | {"account": "no"}]}, 400, "no account"),
        ("POST", "/parcels", {"parcels": [PARCEL | {"status": "returning"}]}, 400, "cannot be"),
        ("POST", "/parcels", {"parcels": [PARCEL | {"value_minor": -1}]}, 400, "value_minor"),
        ("POST", "/parcels", {"parcels": [PARCEL | {"waybill": "a b"}]}, 400, "waybill"),
        ("POST", "/parcels", {"parcels": [PARCEL, PARCEL]}, 409, "exists"),
        ("POST", "/parcels", {"parcels": [PARCEL] * 5001}, 400, "parcels"),
        ("PUT", "/scripts", {"scripts": [PARCEL | {"script": {}}]}, 404, "no parcel"),
        ("POST", "/clock", {"set_ms": 0}, 400, "go back"),
        ("POST", "/clock", {"scale": 0}, 400, "scale"),
        ("POST", "/clock", {"advance_ms": -1}, 400, "advance_ms"),
        ("POST", "/faults", {"carrier": "dhl", "name": "slow"}, 400, "no carrier"),
        ("POST", "/faults", {"carrier": "sf", "name": "eaten"}, 400, "name"),
        ("GET", "/truth?limit=9999999", None, 400, "limit"),
        ("GET", "/truth?after=x", None, 400, "after"),
        ("GET", "/requests?limit=-1", None, 400, "limit"),
        ("GET", "/clock?after=1&wait_ms=30001", None, 400, "wait_ms"),
    ],
)
async def test_mistakes_are_named(
    desk: Desk, method: str, path: str, body: object, status: int, word: str
) -> None:
    code, answer = await desk.control(method, path, body)
    assert code == status
    assert word in answer["error"]


async def test_a_failed_batch_creates_nothing(desk: Desk) -> None:
    await desk.control("POST", "/parcels", {"parcels": [PARCEL]})
    other = {**PARCEL, "waybill": "SF2"}
    code, _ = await desk.control("POST", "/parcels", {"parcels": [other, PARCEL]})
    assert code == 409
    assert (await desk.control("GET", "/health"))[1]["parcels"] == 1


async def test_a_foreign_host_is_refused(desk: Desk) -> None:
    code, _ = await desk.control("GET", "/health", headers={"Host": "evil.example"})
    assert code == 421
    assert (await desk.control("GET", "/health", headers={"Host": "localhost:1"}))[0] == 200


async def dribble(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield b"a" * 65536


@pytest.mark.parametrize("size", [400_000, 1_200_000])
async def test_carriers_limit_bodies_of_declared_and_undeclared_length(
    desk: Desk, size: int
) -> None:
    url = desk.carriers + "/sf/std/service"
    async with desk.session.post(url, data=BytesIO(b"a" * size)) as answer:
        assert answer.status == 413
    async with desk.session.post(url, data=dribble(size)) as answer:
        assert answer.status == 413


async def test_the_control_api_limits_bodies(desk: Desk) -> None:
    body = BytesIO(b" " * (9 << 20))
    async with desk.session.post(desk.controls + "/parcels", data=body) as answer:
        assert answer.status == 413


async def test_the_long_poll_answers_when_the_clock_changes(desk: Desk) -> None:
    _, clock = await desk.control("GET", "/clock")
    waiting = asyncio.create_task(
        desk.control("GET", f"/clock?after={clock['version']}&wait_ms=5000")
    )
    await asyncio.sleep(0.01)
    moved = await desk.advance(HOUR_MS)
    _, told = await waiting
    assert told["now_ms"] == moved["now_ms"] == START_MS + HOUR_MS
    assert told["version"] == clock["version"] + 1
    _, same = await desk.control("GET", f"/clock?after={told['version']}&wait_ms=1")
    assert same == told


async def test_a_scaled_clock_pushes_by_itself(desk: Desk) -> None:
    waybill = await desk.parcel("zto", status="at_destination")
    await desk.control("POST", "/clock", {"frozen": False, "scale": 1_000_000})
    for _ in range(300):
        if len(desk.pushed(waybill)) == 2:
            break
        await asyncio.sleep(0.01)
    assert [push.data["action"] for push in desk.pushed(waybill)] == ["DISPATCH", "SIGNED"]


async def test_the_clock_answers_after_every_push(desk: Desk) -> None:
    for _ in range(40):
        await desk.parcel("zto", status="out_for_delivery")
    answer = await desk.advance(DAY_MS)
    assert answer["pushes_sent"] == len(desk.inbox) == 40
    assert answer["pushes_pending"] == 0


async def test_truth_is_paged(desk: Desk) -> None:
    waybills = [await desk.parcel("zto") for _ in range(5)]
    await desk.parcel("sf")
    _, all_lines = await desk.control("GET", "/truth?carrier=zto&account=Z1")
    assert [line["waybill"] for line in all_lines] == waybills
    _, page = await desk.control("GET", "/truth?carrier=zto&after=3&limit=1")
    assert [line["waybill"] for line in page] == waybills[3:4]


async def test_a_script_may_come_after_the_parcel(desk: Desk) -> None:
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    setting = {"carrier": "zto", "account": "Z1", "waybill": waybill}
    body = {"scripts": [setting | {"script": {"outcome": "refused"}}]}
    assert (await desk.control("PUT", "/scripts", body)) == (200, {"set": 1})
    assert (await desk.zto_intercept(waybill))["statusCode"] == "INT003"


async def test_a_reset_forgets(desk: Desk) -> None:
    await desk.parcel("zto")
    await desk.control("POST", "/reset")
    assert (await desk.control("GET", "/truth"))[1] == []
    assert (await desk.advance(5 * DAY_MS))["pushes_sent"] == 0
    await desk.parcel("sf")
    await desk.control("POST", "/reset", {"accounts": True})
    code, _ = await desk.control("POST", "/parcels", {"parcels": [PARCEL]})
    assert code == 400


async def test_one_account_does_not_see_anothers_parcels(desk: Desk) -> None:
    account = {"carrier": "zto", "account": "Z9", "credentials": {"app_secret": "zs"}}
    await desk.control("POST", "/accounts", account)
    waybill = await desk.parcel("zto", account="Z9")
    assert (await desk.zto_intercept(waybill))["statusCode"] == "INT001"


async def start(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulator",
        "serve",
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_says_where_it_is_and_ends_on_sigterm() -> None:
    process = await start("--seed", "42", "--frozen", "--start-ms", "5")
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    assert set(ready) == {"ready", "carriers", "control", "seed"}
    assert (ready["ready"], ready["seed"]) == (True, 42)
    process.send_signal(signal.SIGTERM)
    rest, errors = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, rest, errors) == (0, b"", b"")


async def test_the_command_explains_a_taken_port(desk: Desk) -> None:
    process = await start("--port", desk.carriers.rsplit(":", 1)[1])
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 3
    assert errors.decode().startswith("turnback-sim: cannot listen on 127.0.0.1")
    assert errors.count(b"\n") == 1


def test_a_scenario_without_rules_is_a_scenario() -> None:
    assert Scenario().rules == ()


async def test_it_says_what_it_can_be_asked(desk: Desk) -> None:
    status, told = await desk.control("GET", "/")
    assert status == 200
    calls = {each["call"]: each for each in told["calls"]}
    assert {"POST /accounts", "POST /parcels", "GET /truth", "DELETE /faults"} < set(calls)
    assert all(each["what"].endswith((".", "=")) for each in calls.values())
    parcels = calls["POST /parcels"]["body"]
    assert "returned" in parcels["$defs"]["Outcome"]["enum"]
    assert set(told["scenario"]["properties"]) == {"rules", "mix"}
    for call in calls:
        verb, path = call.split()
        if calls[call]["body"]:  # it is there, and wants what it says it wants
            status, answer = await desk.control(verb, path, {"nonsense": 1})
            assert (status, bool(answer["error"])) == (400, True)
