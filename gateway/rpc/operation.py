"""OperationService: what needs a person, and what proves that the money is right."""

import asyncio
from typing import Any

from google.protobuf.duration_pb2 import Duration

from gateway.domain.claim import Award, Decided
from gateway.domain.claim import DecideClaim as Decide
from gateway.domain.interception import Request
from gateway.domain.payout import SettleOffline
from gateway.pb.turnback.v1 import operation_service_pb2 as pb
from gateway.rpc import claim, messages, paging, statement
from gateway.rpc.errors import granted, invalid, not_offered, not_yours, precondition
from gateway.rpc.fields import minor
from gateway.rpc.shell import Call, Errands, Shell
from gateway.store.audit import RULES, Finding

KIND = {number: name for name, number in messages.EXCEPTION.items() if number}
AWARDS = (pb.CLAIM_DECISION_AWARD, pb.CLAIM_DECISION_AWARD_PART)
PREFIX = "inv."  # of a rule's name, outside
ROWS = 10
IDLE_WAIT_MAX_S = 30.0
IDLE_LOOK_S = 0.02


class OperationService:
    def __init__(self, shell: Shell, errands: Errands) -> None:
        self._shell = shell
        self._errands = errands

    async def ListExceptions(
        self, request: pb.OperationServiceListExceptionsRequest, call: Call
    ) -> pb.OperationServiceListExceptionsResponse:
        merchant = call.caller.merchant(request.merchant_id) if request.merchant_id else ""
        filters: dict[str, Any] = {
            "statement": request.statement_id,
            "tenant": call.caller.tenant,
            "wanted": paging.listed([KIND[kind] for kind in request.kinds if kind in KIND]),
            "channel": request.carrier,
            "merchant": merchant,
            "interception": request.interception_id,
            "claim": request.claim_id,
            "open": int(not request.include_closed),
            "before": messages.ms(request.opened_to) or paging.POSITION_MAX,
        }
        since = messages.ms(request.opened_from)
        mark = paging.mark("exceptions", *filters.values(), since)
        most = paging.size(request.page_size)
        at, key = paging.oldest(since, paging.cursor(request.page_token, mark))
        rows = await self._shell.store.rows(
            messages.CaseRow,
            "exceptions",
            **filters,
            cursor_at=at,
            cursor_id=key,
            limit=most + 1,
        )
        rows, more = paging.cut(rows, most, mark, "opened_at")
        return pb.OperationServiceListExceptionsResponse(
            exceptions=[messages.exception(row) for row in rows], next_page_token=more
        )

    async def ResolveException(
        self, request: pb.OperationServiceResolveExceptionRequest, call: Call
    ) -> pb.OperationServiceResolveExceptionResponse:
        raise not_offered("closing an exception by hand is not offered: facts close it")

    async def DecideClaim(
        self, request: pb.OperationServiceDecideClaimRequest, call: Call
    ) -> pb.OperationServiceDecideClaimResponse:
        awards = request.decision in AWARDS
        if request.decision == pb.CLAIM_DECISION_QUESTION:
            raise not_offered("asking the merchant for more evidence is not offered")
        faults = []
        if awards and not request.HasField("granted"):
            faults.append(("granted", "needed with an award"))
        if awards and not request.decision_key:
            faults.append(("decision_key", "needed with an award"))
        if not awards and request.HasField("granted"):
            faults.append(("granted", "only with an award"))
        if faults:
            raise invalid(faults)
        tenant = call.caller.tenant
        row = await claim.own(self._shell, request.claim_id, tenant)
        command = Decide(
            tenant=tenant,
            request_id=request.request_id,
            claim=row.id,
            decision_key=request.decision_key,
            grant_minor=minor(request.granted) if awards else 0,
            currency=request.granted.currency_code,
            reason=request.note,
            actor=call.caller.actor,
        )
        decided: Decided = granted(await self._shell.store.run(command))
        response = pb.OperationServiceDecideClaimResponse(
            claim=await claim.shown(self._shell, decided.claim), replayed=decided.replayed
        )
        award = decided.award
        if award is None and awards:
            award = await self._award_of(row.id, request.decision_key)
        if award is not None:
            response.award.CopyFrom(await claim.award_shown(self._shell, award))
        return response

    async def _award_of(self, claim_id: str, decision_key: str) -> Award | None:
        """The award that a decision made before."""
        awards = await self._shell.store.rows(Award, "awards_of_claim", claim=claim_id)
        key = f"person:{claim_id}:{decision_key}"
        return next((award for award in awards if award.decision_key == key), None)

    async def RecordOfflineSettlement(
        self, request: pb.OperationServiceRecordOfflineSettlementRequest, call: Call
    ) -> pb.OperationServiceRecordOfflineSettlementResponse:
        tenant = call.caller.tenant
        row = await claim.own(self._shell, request.claim_id, tenant)
        key = f"{tenant}/{request.request_id}"
        used = await self._shell.store.rows(Request, "request", id=key)
        replayed = bool(used) and used[0].method == "SettleOffline"
        award = await self._unpaid(row.id, used[0].subject if replayed else request.award_id)
        if award.currency != request.amount.currency_code:
            raise precondition("CURRENCY_DIFFERS", "amount")
        amount = minor(request.amount)
        if amount > award.amount:
            raise precondition("EXCEEDS_AWARD", "amount")
        if amount < award.amount:
            raise not_offered("an award is settled whole: paying a part of it is not offered")
        command = SettleOffline(
            tenant=tenant,
            request_id=request.request_id,
            award=award.id,
            reference=request.reference,
            actor=call.caller.actor,
        )
        settled: Award = granted(await self._shell.store.run(command))
        return pb.OperationServiceRecordOfflineSettlementResponse(
            claim=await claim.shown(self._shell, row),
            award=await claim.award_shown(self._shell, settled),
            replayed=replayed,
        )

    async def _unpaid(self, claim_id: str, asked: str) -> Award:
        """The award named, or the oldest one that is not paid."""
        awards = await self._shell.store.rows(Award, "awards_of_claim", claim=claim_id)
        for award in awards:
            if award.id == asked:
                return award
            if not asked and await claim.paid_of(self._shell, award) is None:
                return award
        if asked:
            raise not_yours()
        raise not_offered("there is no unpaid award: decide the claim, then record its payment")

    async def ImportStatement(
        self, request: pb.OperationServiceImportStatementRequest, call: Call
    ) -> pb.OperationServiceImportStatementResponse:
        return await self._errands.run(statement.imported(self._shell, request, call))

    async def Audit(
        self, request: pb.OperationServiceAuditRequest, call: Call
    ) -> pb.OperationServiceAuditResponse:
        wanted, most = set(request.rules), request.row_limit or ROWS
        if wanted - {PREFIX + rule.name for rule in RULES}:
            raise invalid([("rules", "there is no rule of this name")])
        broken = {finding.rule: finding for finding in await self._shell.store.audit()}
        rules = [
            checked(PREFIX + rule.name, rule.title, broken.get(rule.name), most)
            for rule in RULES
            if not wanted or PREFIX + rule.name in wanted
        ]
        return pb.OperationServiceAuditResponse(
            clean=all(rule.violation_count == 0 for rule in rules),
            rules=rules,
            at=messages.time(self._shell.clock.now()),
        )

    async def Idle(
        self, request: pb.OperationServiceIdleRequest, call: Call
    ) -> pb.OperationServiceIdleResponse:
        test = self._shell.settings.test
        if test is None or not test.idle:
            raise precondition("TEST_SETTING_ONLY", "test.idle")
        loop = asyncio.get_running_loop()
        end = loop.time() + min(seconds(request.wait), IDLE_WAIT_MAX_S)
        found = await self._shell.worker.idle()
        while not found.idle and loop.time() < end:
            await asyncio.sleep(IDLE_LOOK_S)
            found = await self._shell.worker.idle()
        due = await self._shell.store.table("next_due")
        return pb.OperationServiceIdleResponse(
            idle=found.idle,
            in_flight_count=found.at_work + found.leased + found.inbox,
            due_count=found.due,
            next_due_at=messages.time(due[0]["due"] or 0) if due else None,
            now=messages.time(found.now),
        )


def checked(name: str, title: str, finding: Finding | None, most: int) -> pb.AuditRule:
    shown = finding.rows[:most] if finding else ()
    return pb.AuditRule(
        name=name,
        title=title,
        violation_count=finding.count if finding else 0,
        rows=[pb.AuditRow(values={"id": key, "fault": fault}) for key, fault in shown],
    )


def seconds(value: Duration) -> float:
    return float(value.seconds) + value.nanos / 1e9
