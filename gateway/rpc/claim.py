"""ClaimService: what the carrier owes for a promise that was not kept."""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.domain.carrier import ClaimKind
from gateway.domain.claim import Award, Claim, FileClaim, Filed, Proof
from gateway.domain.interception import Interception
from gateway.domain.ledger import Transfer, TransferKind
from gateway.domain.parcel import OrderLine
from gateway.pb.turnback.v1 import claim_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc import awarding, messages, paging
from gateway.rpc.awarding import CLAIM_KIND, CLAIM_STATE, Limits, Payment
from gateway.rpc.errors import granted, invalid, not_offered, not_yours, precondition
from gateway.rpc.fields import minor
from gateway.rpc.shell import Call, Shell

KIND = {number: ClaimKind(name) for name, number in CLAIM_KIND.items()}
STATE = {number: name for name, number in CLAIM_STATE.items()}
PROVEN = (pb.CLAIM_KIND_DAMAGED, pb.CLAIM_KIND_SHORTAGE)
PAYOUTS = (TransferKind.PAYOUT, TransferKind.SETTLE_OFFLINE)


class ClaimService:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def File(
        self, request: pb.ClaimServiceFileRequest, call: Call
    ) -> pb.ClaimServiceFileResponse:
        if request.kind in PROVEN and not request.evidence:
            raise precondition("EVIDENCE_MISSING", "evidence")
        command = FileClaim(
            tenant=call.caller.tenant,
            request_id=request.request_id,
            interception=request.interception_id,
            kind=KIND[request.kind],
            order_no=request.order_no,
            line_no=request.line_no,
            loss_minor=minor(request.loss),
            currency=request.loss.currency_code,
            description=request.description,
            actor=call.caller.actor,
            proofs=tuple(_given(request.evidence)),
        )
        filed: Filed = granted(await self._shell.store.run(command))
        return pb.ClaimServiceFileResponse(
            claim=await shown(self._shell, filed.claim), replayed=filed.replayed
        )

    async def Get(
        self, request: pb.ClaimServiceGetRequest, call: Call
    ) -> pb.ClaimServiceGetResponse:
        row = await own(self._shell, request.claim_id, call.caller.tenant)
        return pb.ClaimServiceGetResponse(claim=await shown(self._shell, row))

    async def List(
        self, request: pb.ClaimServiceListRequest, call: Call
    ) -> pb.ClaimServiceListResponse:
        merchant = call.caller.merchant(request.merchant_id) if request.merchant_id else ""
        filters: dict[str, Any] = {
            "tenant": call.caller.tenant,
            "merchant": merchant,
            "interception": request.interception_id,
            "channel": request.carrier,
            "states": paging.listed([STATE[state] for state in request.states if state in STATE]),
            "waybill": request.waybill,
            "after": messages.ms(request.filed_from),
        }
        until = messages.ms(request.filed_to)
        mark = paging.mark("claims", *filters.values(), until)
        most = paging.size(request.page_size)
        at, key = paging.newest(until, paging.cursor(request.page_token, mark))
        rows = await self._shell.store.rows(
            Claim, "claims", **filters, cursor_at=at, cursor_id=key, limit=most + 1
        )
        rows, more = paging.cut(rows, most, mark, "filed_at")
        claims = [await shown(self._shell, row) for row in rows]
        return pb.ClaimServiceListResponse(claims=claims, next_page_token=more)

    async def Withdraw(
        self, request: pb.ClaimServiceWithdrawRequest, call: Call
    ) -> pb.ClaimServiceWithdrawResponse:
        raise not_offered("taking a claim back is not offered: it ends with its decision")

    async def SupplyEvidence(
        self, request: pb.ClaimServiceSupplyEvidenceRequest, call: Call
    ) -> pb.ClaimServiceSupplyEvidenceResponse:
        raise not_offered("evidence is given when the claim is filed; adding to it is not offered")


def _given(proofs: Sequence[types.Proof]) -> Iterator[Proof]:
    for i, proof in enumerate(proofs):
        if proof.uri and not proof.sha256:
            raise invalid([(f"evidence[{i}].sha256", "needed with uri")])
        yield Proof("", "", proof.kind, proof.uri, proof.text, proof.sha256, 0)


async def own(shell: Shell, key: str, tenant: str) -> Claim:
    """A tenant's own claim; a foreign one and none at all look alike."""
    found = await shell.store.rows(Claim, "claim", id=key)
    if not found or found[0].tenant != tenant:
        raise not_yours()
    return found[0]


async def shown(shell: Shell, row: Claim) -> pb.Claim:
    """A claim with its awards, what was paid of them, and the limits they come from."""
    limits = await limits_of(shell, row)
    mine = [award for award in limits.awards if award.claim == row.id]
    paid = {award.id: payment for award in mine if (payment := await paid_of(shell, award))}
    found, proofs = await shell.store.several(
        (Interception, "interception", {"id": row.interception}),
        (Proof, "proofs_of_claim", {"claim": row.id}),
    )
    waybill = found[0].waybill if found else ""
    return awarding.claim(limits, waybill, shell.terms, paid, proofs)


async def limits_of(shell: Shell, row: Claim) -> Limits:
    lines, found, awards = await shell.store.several(
        (OrderLine, "lines_of_parcel", {"parcel": row.parcel}),
        (Interception, "interception", {"id": row.interception}),
        (Award, "awards_of_parcel", {"parcel": row.parcel}),
    )
    line = [one for one in lines if (one.order_no, one.line_no) == (row.order_no, row.line_no)]
    return Limits(
        claim=row,
        value_minor=sum(one.value_minor for one in line),
        cap_minor=found[0].cap_minor if found else 0,
        awards=awards,
    )


async def award_shown(shell: Shell, award: Award) -> pb.Award:
    (row,) = await shell.store.rows(Claim, "claim", id=award.claim)
    return awarding.award(award, await paid_of(shell, award), await limits_of(shell, row))


async def paid_of(shell: Shell, award: Award) -> Payment | None:
    rows = await shell.store.rows(Transfer, "transfers_of_award", award=award.id)
    paid = [row for row in rows if row.kind in PAYOUTS]
    if not paid:
        return None
    last = paid[-1]
    offline = last.kind is TransferKind.SETTLE_OFFLINE
    reference = last.cause if offline else last.id
    return Payment(sum(row.amount for row in paid), last.at, reference)
