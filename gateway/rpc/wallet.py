"""WalletService: the merchants' money."""

from collections.abc import Mapping
from typing import Any

from grpc import StatusCode

from gateway.domain.command import Replayed
from gateway.domain.ledger import Account, Transfer
from gateway.domain.merchant import TopUp
from gateway.domain.parcel import Merchant
from gateway.domain.refusal import Refusal, Why
from gateway.pb.turnback.v1 import wallet_service_pb2 as pb
from gateway.rpc import messages, paging
from gateway.rpc.errors import Failure, granted, not_offered, refused
from gateway.rpc.fields import minor
from gateway.rpc.shell import Call, Shell
from gateway.store.store import Store

ENTRY = {number: name for name, number in messages.ENTRY.items()}
NO_SIDE = {"source": "", "target": ""}
NO_CASHIER = "the cashier is not offered: pay with a payment agreement of the settings"


class WalletService:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def Get(
        self, request: pb.WalletServiceGetRequest, call: Call
    ) -> pb.WalletServiceGetResponse:
        merchant = await self._merchant(request.merchant_id, call)
        return pb.WalletServiceGetResponse(wallet=await self._wallet(merchant))

    async def AuthorizePayment(
        self, request: pb.WalletServiceAuthorizePaymentRequest, call: Call
    ) -> pb.WalletServiceAuthorizePaymentResponse:
        raise not_offered(NO_CASHIER)

    async def SetPassword(
        self, request: pb.WalletServiceSetPasswordRequest, call: Call
    ) -> pb.WalletServiceSetPasswordResponse:
        raise not_offered(NO_CASHIER)

    async def TopUp(
        self, request: pb.WalletServiceTopUpRequest, call: Call
    ) -> pb.WalletServiceTopUpResponse:
        merchant = await self._merchant(request.merchant_id, call)
        command = TopUp(
            tenant=call.caller.tenant,
            request_id=request.request_id,
            merchant=merchant.id,
            amount=minor(request.amount),
            currency=request.amount.currency_code,
            reference=request.external_reference,
            actor=call.caller.actor,
        )
        result: Any = await self._shell.store.run(command)
        if isinstance(result, Refusal) and result.field == "external_reference":
            raise Failure(StatusCode.ALREADY_EXISTS, "EXTERNAL_REFERENCE_REUSED")
        result = granted(result)
        replayed = isinstance(result, Replayed)
        if replayed:
            found = await self._shell.store.rows(Transfer, "transfer", id=result.subject)
            result = found[0]
        return pb.WalletServiceTopUpResponse(
            wallet=await self._wallet(merchant), entry=messages.entry(result), replayed=replayed
        )

    async def Withdraw(
        self, request: pb.WalletServiceWithdrawRequest, call: Call
    ) -> pb.WalletServiceWithdrawResponse:
        raise not_offered("booking money that went out is not offered")

    async def ListEntries(
        self, request: pb.WalletServiceListEntriesRequest, call: Call
    ) -> pb.WalletServiceListEntriesResponse:
        merchant = await self._merchant(request.merchant_id, call)
        filters: dict[str, Any] = {
            "merchant": merchant.id,
            "interception": request.interception_id,
            "claim": request.claim_id,
            "wanted": paging.listed([ENTRY[kind] for kind in request.kinds if kind in ENTRY]),
            "after": messages.ms(request.posted_from),
        }
        until = messages.ms(request.posted_to)
        mark = paging.mark("entries", *filters.values(), until)
        most = paging.size(request.page_size)
        at, key = paging.newest(until, paging.cursor(request.page_token, mark))
        filters |= {"cursor_at": at, "cursor_id": key, "limit": most + 1}
        rows, more = paging.cut(await transfers(self._shell.store, filters), most, mark, "at")
        entries = [messages.entry(row) for row in rows]
        return pb.WalletServiceListEntriesResponse(entries=entries, next_page_token=more)

    async def _merchant(self, name: str, call: Call) -> Merchant:
        key = call.caller.merchant(name)
        found = await self._shell.store.rows(Merchant, "merchant", id=key)
        if not found:
            raise refused((Refusal(Why.MERCHANT_UNKNOWN, field="merchant_id"),))
        return found[0]

    async def _wallet(self, merchant: Merchant) -> pb.Wallet:
        accounts = await self._shell.store.rows(
            Account, "accounts_of_merchant", merchant=merchant.id
        )
        mine = [account for account in accounts if account.currency == merchant.currency]
        wallet: pb.Wallet = messages.wallet(
            merchant.id, merchant.currency, merchant.wallet_open, mine
        )
        return wallet


async def transfers(store: Store, filters: Mapping[str, Any]) -> list[Transfer]:
    """Of an interception or a claim at once. Else the newest of each account on each side, merged:
    so many, however many there ever were."""
    sides: list[dict[str, str]] = [{}]
    if not (filters["interception"] or filters["claim"]):
        accounts = await store.table("account_ids_of_merchant", merchant=filters["merchant"])
        sides = [{side: account["id"]} for account in accounts for side in NO_SIDE]
    found = await store.several(
        *((Transfer, "transfers_of_merchant", {**filters, **NO_SIDE, **side}) for side in sides)
    )
    rows = {row.id: row for part in found for row in part}  # some are between two of its own
    newest = sorted(rows.values(), key=lambda row: (row.at, row.id), reverse=True)
    return newest[: filters["limit"]]
