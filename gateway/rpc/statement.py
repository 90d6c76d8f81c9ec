"""ImportStatement: message to command, and what came of it."""

from collections.abc import Iterator
from typing import Any

from gateway.domain.reconcile import Header, Line, ReceivePart
from gateway.domain.refusal import Refusal, Why
from gateway.domain.statement import PARTS_MAX, LineKind, Statement, Step
from gateway.pb.turnback.v1 import operation_service_pb2 as pb
from gateway.rpc import messages
from gateway.rpc.errors import granted, invalid, refused
from gateway.rpc.fields import minor
from gateway.rpc.registration import account_of
from gateway.rpc.shell import Call, Shell
from gateway.statements import post

KINDS = {pb.StatementLineKind.Value(f"STATEMENT_LINE_KIND_{kind}"): kind for kind in LineKind}
SHOWN_MAX = 200  # exceptions; ListExceptions has them all
Request = pb.OperationServiceImportStatementRequest


async def imported(
    shell: Shell, request: Request, call: Call
) -> pb.OperationServiceImportStatementResponse:
    """Take a part in; when it was the last one, post the whole."""
    if request.carrier not in shell.terms.contracts:
        raise refused((Refusal(Why.CARRIER_NOT_CONFIGURED, field="carrier"),))
    faults = list(_faults(request))
    if faults:
        raise invalid(faults)
    received = granted(await shell.store.run(_command(shell, request, call)))
    statement: Statement = received.statement
    if statement.step is not Step.RECEIVING:
        statement = granted(await post(shell.store, statement.id))
    return await _answer(shell, statement, received.replayed, call)


def _command(shell: Shell, request: Request, call: Call) -> ReceivePart:
    return ReceivePart(
        tenant=call.caller.tenant,
        request_id=request.request_id,
        header=Header(
            channel=request.carrier,
            account=account_of(request.carrier, request.account, call.caller, shell.settings),
            sha256=request.sha256,
            number=request.statement_no,
            period_from=messages.ms(request.period_from),
            period_to=messages.ms(request.period_to),
            total_minor=minor(request.total),
            currency=request.total.currency_code,
            parts=request.parts or 1,
            corrects=request.corrects_statement_no,
        ),
        part=request.part or 1,
        lines=tuple(
            Line(
                line_no=line.line_no,
                kind=KINDS[line.kind],
                reference=line.reference,
                waybill=line.waybill,
                amount=minor(line.amount),
                currency=line.amount.currency_code,
                at=messages.ms(line.at),
            )
            for line in request.lines
        ),
        actor=call.caller.actor,
    )


def _faults(request: Request) -> Iterator[tuple[str, str]]:
    """What no field can tell alone."""
    if messages.ms(request.period_from) >= messages.ms(request.period_to):
        yield "period_to", "after period_from"
    if bool(request.part) != bool(request.parts) or request.part > request.parts:
        yield "part", f"1 to `parts`, which is at most {PARTS_MAX}; or neither"
    seen = set()
    for index, line in enumerate(request.lines):
        amount = minor(line.amount)
        if line.line_no in seen:
            yield f"lines[{index}].line_no", "twice in one part"
        seen.add(line.line_no)
        if amount == 0 or (amount < 0 and line.kind != pb.STATEMENT_LINE_KIND_OTHER):
            yield f"lines[{index}].amount", "above zero; below it with OTHER only"


async def _answer(
    shell: Shell, statement: Statement, replayed: bool, call: Call
) -> pb.OperationServiceImportStatementResponse:
    counts: dict[str, int] = {}
    cases: list[messages.CaseRow] = []
    opened = 0
    if statement.posted_at:
        rows = await shell.store.table("statement_counts", statement=statement.id)
        counts = {row["state"]: row["n"] for row in rows}
        [found] = await shell.store.table("difference_count", statement=statement.id)
        opened = found["n"]
        filters: dict[str, Any] = {**messages.NO_FILTER, "tenant": statement.tenant}
        filters |= {"statement": statement.id, "limit": SHOWN_MAX}
        cases = await shell.store.rows(messages.CaseRow, "exceptions", **filters)
    return pb.OperationServiceImportStatementResponse(
        statement_id=statement.id,
        posted=bool(statement.posted_at),
        matched_count=counts.get("MATCHED", 0),
        differing_count=counts.get("DIFFERING", 0),
        unmatched_count=counts.get("UNMATCHED", 0),
        exceptions=[messages.exception(row) for row in cases],
        exception_count=opened,
        replayed=replayed,
    )
