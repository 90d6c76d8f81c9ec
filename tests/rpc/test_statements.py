"""ImportStatement over the wire: its limits at their edges, its refusals, and what it answers."""

import itertools
from collections.abc import Callable
from typing import Any

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from gateway.pb.turnback.v1 import carrier_service_pb2 as carriers
from gateway.pb.turnback.v1 import operation_service_pb2 as pb
from tests.rpc.world import Code, World, yuan

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPERATOR = "mall-operator-token"
FEE, CREDIT, OTHER = (
    pb.STATEMENT_LINE_KIND_FEE,
    pb.STATEMENT_LINE_KIND_FEE_CREDIT,
    pb.STATEMENT_LINE_KIND_OTHER,
)
numbers = itertools.count(1)
Request = pb.OperationServiceImportStatementRequest
Change = Callable[[Any], None]


def lines(count: int, kind: Any = OTHER) -> list[Any]:
    return [
        pb.StatementLine(line_no=n, kind=kind, reference="storage", amount=yuan(1))
        for n in range(1, count + 1)
    ]


def request(count: int = 1, **of: Any) -> Any:
    number = next(numbers)
    given: dict[str, Any] = {
        "request_id": f"statement-{number}",
        "carrier": "sf",
        "sha256": f"{number:064x}"[::-1],
        "statement_no": f"S{number}",
        "period_from": Timestamp(seconds=1_700_000_000),
        "period_to": Timestamp(seconds=1_702_000_000),
        "total": yuan(count),
        "lines": lines(count),
    }
    return Request(**given | of)


async def no(world: World, asked: Any, token: str = OPERATOR) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.ask(asked, token)
    return caught.value.code(), caught.value.details() or ""


def put(path: str, value: Any) -> Change:
    """A request with one field changed, by its path."""

    def change(asked: Any) -> None:
        *way, name = path.split(".")
        place = asked
        for step in way:
            place = place[int(step)] if step.isdecimal() else getattr(place, step)
        if value is None:
            place.ClearField(name)
        elif hasattr(value, "DESCRIPTOR"):
            getattr(place, name).CopyFrom(value)
        else:
            setattr(place, name, value)

    return change


def units(whole: int, nanos: int = 0, currency: str = "CNY") -> Money:
    return Money(currency_code=currency, units=whole, nanos=nanos)


def double(asked: Any) -> None:
    asked.lines.add().CopyFrom(asked.lines[0])


WRONG: list[tuple[Change, str]] = [
    (put("request_id", "short"), "request_id"),
    (put("carrier", ""), "carrier"),
    (put("sha256", ""), "sha256"),
    (put("sha256", "A" * 64), "sha256"),
    (put("sha256", "a" * 63), "sha256"),
    (put("statement_no", ""), "statement_no"),
    (put("statement_no", "x" * 65), "statement_no"),
    (put("corrects_statement_no", "x" * 65), "corrects_statement_no"),
    (put("corrects_statement_no", "nobody's"), "corrects_statement_no"),
    (put("period_from", None), "period_from"),
    (put("period_to", None), "period_to"),
    (put("period_to", Timestamp(seconds=1_700_000_000)), "period_to"),
    (put("total", None), "total"),
    (put("total", units(10**10 + 1)), "total"),
    (put("total", units(1, 1)), "total"),
    (put("total", units(1, currency="ZZZ")), "total"),
    (put("part", 1), "part"),
    (put("parts", 1), "part"),
    (put("parts", 101), "parts"),
    (lambda r: (put("part", 3)(r), put("parts", 2)(r))[0], "part"),
    (put("part", -1), "part"),
    (lambda r: r.ClearField("lines"), "lines"),
    (double, "lines[1].line_no"),
    (put("lines.0.line_no", 0), "lines[0].line_no"),
    (put("lines.0.line_no", 10_000_001), "lines[0].line_no"),
    (put("lines.0.kind", 0), "lines[0].kind"),
    (put("lines.0.kind", 9), "lines[0].kind"),
    (put("lines.0.amount", None), "lines[0].amount"),
    (put("lines.0.amount", units(0)), "lines[0].amount"),
    (put("lines.0.amount", units(10**10 + 1)), "lines[0].amount"),
    (put("lines.0.amount", units(1, 5_000_000)), "lines[0].amount"),
    (put("lines.0.reference", "x" * 65), "lines[0].reference"),
    (put("lines.0.reference", "a\x00"), "lines[0].reference"),
    (put("lines.0.waybill", "a b"), "lines[0].waybill"),
    (put("lines.0.waybill", "x" * 41), "lines[0].waybill"),
    (put("lines.0.at", Timestamp(seconds=-1)), "lines[0].at"),
]


@pytest.mark.parametrize(("change", "field"), WRONG, ids=[of for _, of in WRONG])
async def test_what_is_wrong_is_named(world: World, change: Change, field: str) -> None:
    asked = request()
    change(asked)
    code, said = await no(world, asked)
    assert code is Code.INVALID_ARGUMENT
    assert said.startswith(f"INVALID_FIELD: {field}: "), said


@pytest.mark.parametrize("kind", [FEE, CREDIT, pb.STATEMENT_LINE_KIND_CLAIM])
async def test_only_other_lines_are_below_zero(world: World, kind: Any) -> None:
    asked = request(lines=lines(1, kind))
    asked.lines[0].amount.CopyFrom(units(-1))
    code, said = await no(world, asked)
    assert (code, said.split(":")[1].strip()) == (Code.INVALID_ARGUMENT, "lines[0].amount")
    asked.lines[0].kind = OTHER
    asked.total.CopyFrom(units(-1))
    answer = await world.ask(asked, OPERATOR)
    assert (answer.posted, answer.unmatched_count) == (True, 1)


async def test_a_part_has_a_thousand_lines_and_no_more(world: World) -> None:
    code, said = await no(world, request(1_001))
    assert (code, said) == (
        Code.INVALID_ARGUMENT,
        "INVALID_FIELD: lines: 1 to 1000 entries",
    )
    answer = await world.ask(request(1_000), OPERATOR)
    assert (answer.posted, answer.unmatched_count) == (True, 1_000)
    assert answer.exception_count == 1_000
    assert len(answer.exceptions) == 200
    asked = pb.OperationServiceListExceptionsRequest(
        statement_id=answer.statement_id, page_size=200
    )
    seen = 0
    while True:
        page = await world.ask(asked, OPERATOR)
        assert all(one.statement_id == answer.statement_id for one in page.exceptions)
        seen += len(page.exceptions)
        if not page.next_page_token:
            break
        asked.page_token = page.next_page_token
    assert seen == 1_000


async def test_a_hundred_parts_are_one_statement(world: World) -> None:
    whole = request(100)
    for part, line in enumerate(list(whole.lines), 1):
        asked = Request()
        asked.CopyFrom(whole)
        del asked.lines[:]
        asked.lines.add().CopyFrom(line)
        asked.part, asked.parts = part, 100
        asked.request_id = f"{whole.request_id}-{part}"
        answer = await world.ask(asked, OPERATOR)
        assert answer.posted is (part == 100)
        assert not answer.replayed
    assert answer.unmatched_count == 100


async def test_refusals_say_why(world: World) -> None:
    code, said = await no(world, request(total=yuan(2)))
    assert (code, said.split(":")[0]) == (Code.FAILED_PRECONDITION, "STATEMENT_TOTAL")
    first = request(2, part=1, parts=2, total=yuan(4))
    assert not (await world.ask(first, OPERATOR)).posted
    other = request(2, sha256=first.sha256, statement_no=first.statement_no, part=2, parts=2)
    code, said = await no(world, other)
    assert (code, said.split(":")[0]) == (Code.FAILED_PRECONDITION, "STATEMENT_PARTS")
    code, said = await no(world, request(carrier="zto"))
    assert (code, said.split(":")[0]) == (Code.FAILED_PRECONDITION, "CARRIER_NOT_CONFIGURED")
    code, said = await no(world, request(account="elsewhere"))
    assert (code, said.split(":")[0]) == (Code.FAILED_PRECONDITION, "CARRIER_NOT_CONFIGURED")
    code, said = await no(world, request(), "mall-tenant-token")
    assert code is Code.PERMISSION_DENIED
    done = request()
    await world.ask(done, OPERATOR)
    done.lines[0].reference = "another"
    code, said = await no(world, done)
    assert (code, said.split(":")[0]) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    code, said = await no(world, request(statement_no=done.statement_no))
    assert said.startswith("INVALID_FIELD: statement_no: imported from another file")


async def test_another_tenant_does_not_take_the_statement_over(world: World) -> None:
    first = request(2, part=1, parts=2)
    await world.ask(first, OPERATOR)
    first.part = 2
    first.request_id = "statement-foreign"
    code, said = await no(world, first, "other-tenant-token")
    assert (code, said.split(":")[0]) == (Code.FAILED_PRECONDITION, "STATEMENT_PARTS")
    asked = pb.OperationServiceListExceptionsRequest(page_size=200)
    theirs = await world.ask(asked, "other-tenant-token")
    assert not any(one.statement_id for one in theirs.exceptions)


async def test_an_exception_says_what_is_at_stake(world: World) -> None:
    waybill = await world.ship()
    quote = await world.quote(waybill)
    key = (await world.settled(quote.id, f"stop-{waybill}")).id
    now = (await world.ask(pb.OperationServiceIdleRequest(), OPERATOR)).now
    fee = quote.actions[0].fee
    much = units(fee.units + 1, fee.nanos)
    line = pb.StatementLine(line_no=7, kind=FEE, waybill=waybill, amount=much)
    end = Timestamp(seconds=now.seconds + 86_400)
    answer = await world.ask(request(lines=[line], total=much, period_to=end), OPERATOR)
    assert (answer.matched_count, answer.differing_count, answer.unmatched_count) == (0, 1, 0)
    (told,) = answer.exceptions
    assert told.kind == pb.EXCEPTION_KIND_FEE_DIFFERS
    assert (told.carrier, told.merchant_id, told.waybill) == ("sf", "m1", waybill)
    assert (told.interception_id, told.statement_id) == (key, answer.statement_id)
    assert (told.line_no, told.expected, told.actual) == (7, fee, much)
    (again,) = (
        await world.ask(pb.OperationServiceListExceptionsRequest(interception_id=key), OPERATOR)
    ).exceptions
    assert again == told


async def test_the_contract_tells_its_tolerance(world: World) -> None:
    found = await world.ask(carriers.CarrierServiceGetRequest(name="sf"))
    assert found.carrier.contract.HasField("fee_tolerance")
