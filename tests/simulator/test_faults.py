"""Faults of the transport and of pushes, and the truth about each."""

from typing import Any

import aiohttp
import pytest

from tests.simulator.desk import DAY_MS, HOUR_MS, Desk

Script = dict[str, Any]


def faulty(name: str, **params: object) -> Script:
    return {"outcome": "returned", "faults": [{"name": name, "params": params}]}


@pytest.mark.parametrize(
    ("name", "effects"),
    [("timeout_after", 1), ("timeout_before", 0), ("reset_after", 1), ("reset_before", 0)],
)
async def test_an_answer_that_never_comes(desk: Desk, name: str, effects: int) -> None:
    params = {"ms": 50} if name.startswith("timeout") else {}
    waybill = await desk.parcel("zto", faulty(name, **params))
    with pytest.raises(aiohttp.ClientError):
        await desk.zto_intercept(waybill)
    truth = await desk.truth(waybill)
    assert truth["effects"] == effects
    (seen,) = truth["requests"]["intercept"]
    assert (seen["fault"], seen["executed"]) == (name, bool(effects))
    assert (await desk.zto_intercept(waybill))["status"] is True
    assert (await desk.truth(waybill))["effects"] == 1


@pytest.mark.parametrize(
    ("name", "params", "status", "effects"),
    [
        ("http_500", {}, 500, 0),
        ("http_500", {"executed": True}, 500, 1),
        ("html_502", {}, 502, 0),
        ("http_503", {}, 503, 0),
        ("busy_429", {}, 429, 0),
        ("redirect_307", {}, 307, 0),
        ("truncated", {}, 200, 1),
        ("busy_code", {}, 200, 0),
        ("wrong_waybill", {}, 200, 1),
    ],
)
async def test_an_answer_that_is_none(
    desk: Desk, name: str, params: Script, status: int, effects: int
) -> None:
    waybill = await desk.parcel("sf", faulty(name, **params))
    message = {
        "waybillNo": waybill,
        "serviceCode": "2",
        "role": 1,
        "payMode": 1,
        "newDestAddress": dict.fromkeys(
            ("province", "city", "county", "address", "contact", "phone"), "x"
        ),
    }
    form = desk.sf_form("EXP_RECE_WANTED_INTERCEPT", message)
    url = f"{desk.carriers}/sf/std/service"
    async with desk.session.post(url, data=form, allow_redirects=False) as answer:
        assert answer.status == status
        if name == "truncated":
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()
        elif name == "busy_code":
            assert (await answer.json())["apiResultCode"] == "A1005"
        elif name == "wrong_waybill":
            assert f"{waybill[:-1]}0" in await answer.text()
    assert (await desk.truth(waybill))["effects"] == effects


async def test_executed_twice_is_seen_in_the_truth(desk: Desk) -> None:
    waybill = await desk.parcel("zto", faulty("executes_twice"))
    await desk.zto_intercept(waybill)
    assert (await desk.truth(waybill))["effects"] == 2


async def test_a_fault_of_the_whole_carrier(desk: Desk) -> None:
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    fault = {"carrier": "zto", "name": "reset_before", "times": 2, "after": 1}
    assert (await desk.control("POST", "/faults", fault))[0] == 200
    assert (await desk.zto_intercept(waybill))["status"] is True
    for _ in range(2):
        with pytest.raises(aiohttp.ClientError):
            await desk.zto_intercept(waybill)
    assert (await desk.zto_intercept(waybill))["status"] is True
    await desk.control("POST", "/faults", fault | {"times": 0, "after": 0})
    await desk.control("DELETE", "/faults")
    assert (await desk.zto_intercept(waybill))["status"] is True


async def test_a_push_may_be_before_the_reply(desk: Desk) -> None:
    waybill = await desk.parcel("zto", faulty("push_before_reply"))
    await desk.zto_intercept(waybill)
    assert [push.kind for push in desk.pushed(waybill)] == ["Intercept", "Traces"]
    other = await desk.parcel("sf", faulty("push_before_reply"))
    await desk.sf_intercept(other)
    assert [push.routes[0]["opCode"] for push in desk.pushed(other)] == ["648"]


async def day(desk: Desk, fault: Script, status: str = "at_destination") -> list[str]:
    """The actions pushed for an undisturbed parcel that meets this fault, in order of arrival."""
    waybill = await desk.parcel("zto", {"faults": [fault]}, status=status)
    await desk.advance(DAY_MS)
    return [push.data["action"] + ("" if push.genuine else "!") for push in desk.pushed(waybill)]


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        ({"name": "push_duplicate"}, ["DISPATCH", "DISPATCH", "SIGNED"]),
        ({"name": "push_duplicate", "params": {"copies": 3}}, ["DISPATCH"] * 3 + ["SIGNED"]),
        ({"name": "push_reorder"}, ["SIGNED", "DISPATCH"]),
        ({"name": "push_drop"}, ["SIGNED"]),
        (
            {"name": "push_bad_signature", "times": 0},
            ["DISPATCH!", "DISPATCH", "SIGNED!", "SIGNED"],
        ),
        ({"name": "push_replay", "times": 0}, ["DISPATCH", "SIGNED", "DISPATCH"]),
        ({"name": "push_after_terminal", "times": 0}, ["DISPATCH", "SIGNED", "DISPATCH"]),
        ({"name": "push_delay", "params": {"ms": 2 * DAY_MS}}, ["SIGNED"]),
    ],
)
async def test_pushes_go_astray(desk: Desk, fault: Script, arrived: list[str]) -> None:
    assert await day(desk, fault) == arrived


async def test_a_delayed_push_comes_in_the_end(desk: Desk) -> None:
    assert await day(desk, {"name": "push_delay", "params": {"ms": 2 * DAY_MS}}) == ["SIGNED"]
    assert (await desk.advance(2 * DAY_MS))["pushes_sent"] == 1
    assert desk.inbox[-1].data["action"] == "DISPATCH"


async def test_a_last_push_is_not_held_back_for_ever(desk: Desk) -> None:
    fault = {"name": "push_reorder", "times": 0}
    assert await day(desk, fault, "out_for_delivery") == ["SIGNED"]


async def test_a_slow_answer_is_slow_in_machine_time(desk: Desk) -> None:
    waybill = await desk.parcel("zto", faulty("slow", ms=60))
    _, before = await desk.control("GET", "/clock")
    assert (await desk.zto_intercept(waybill))["status"] is True
    _, after = await desk.control("GET", "/clock")
    assert before["now_ms"] == after["now_ms"]
    await desk.advance(HOUR_MS)


async def test_the_rate_of_an_account_is_a_token_bucket(desk: Desk) -> None:
    account = {
        "carrier": "zto",
        "account": "Z1",
        "credentials": {"app_secret": "zs"},
        "options": {"rate_per_second": 2},
    }
    await desk.control("POST", "/accounts", account)
    waybill = await desk.parcel("zto", {"outcome": "returned"})
    codes = [(await desk.zto_intercept(waybill))["statusCode"] for _ in range(8)]
    assert codes[:2] == ["SYS000", "SYS000"]
    assert "S211" in codes
