"""MerchantService: who may use the service."""

from collections.abc import Iterator

from gateway.domain.fees import Terms
from gateway.domain.merchant import SetWaybillService, SignAgreement, UpsertMerchant
from gateway.domain.parcel import Agreement, AgreementKind, Merchant, StoreStatus, WaybillService
from gateway.domain.refusal import Refusal, Why
from gateway.pb.turnback.v1 import merchant_service_pb2 as pb
from gateway.rpc.errors import granted, invalid, not_offered, refused
from gateway.rpc.messages import Table, short, time
from gateway.rpc.registration import network_of
from gateway.rpc.shell import Call, Shell

TYPE = {
    number: name.removeprefix("MERCHANT_TYPE_").lower() for name, number in pb.MerchantType.items()
}
TYPES: Table = {name: number for number, name in TYPE.items()}
STORE = {
    pb.STORE_STATUS_OPERATING: StoreStatus.OPERATING,
    pb.STORE_STATUS_SUSPENDED: StoreStatus.SUSPENDED,
    pb.STORE_STATUS_CLOSED: StoreStatus.CLOSED,
}
STORES = {status: number for number, status in STORE.items()}
CURRENCY = "CNY"


class MerchantService:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def Upsert(
        self, request: pb.MerchantServiceUpsertRequest, call: Call
    ) -> pb.MerchantServiceUpsertResponse:
        given = request.merchant
        row = Merchant(
            id=call.caller.merchant(given.id),
            tenant=call.caller.tenant,
            kind=TYPE[given.type],
            cross_border=given.cross_border,
            cancel_order=given.cancel_order_enabled,
            store_status=STORE[given.store_status],
            contract_signed=given.service_contract_signed,
            wallet_open=given.wallet_open,
            currency=given.wallet_currency or CURRENCY,
            updated_at=0,
        )
        kept: Merchant = granted(await self._shell.store.run(UpsertMerchant(row)))
        return pb.MerchantServiceUpsertResponse(merchant=await self._shown(kept))

    async def Get(
        self, request: pb.MerchantServiceGetRequest, call: Call
    ) -> pb.MerchantServiceGetResponse:
        row = await self.merchant(request.merchant_id, call)
        return pb.MerchantServiceGetResponse(merchant=await self._shown(row))

    async def SignAgreement(
        self, request: pb.MerchantServiceSignAgreementRequest, call: Call
    ) -> pb.MerchantServiceSignAgreementResponse:
        if request.kind == pb.AGREEMENT_KIND_PAYMENT or request.password:
            raise not_offered(
                "payment agreements with a password are not offered: the installation names "
                "the payment agreements of a tenant in its settings"
            )
        merchant = call.caller.merchant(request.merchant_id)
        signed = await self._shell.store.rows(
            Agreement, "agreements_of_merchant", merchant=merchant
        )
        version = request.version
        before = any(
            a.agreement == request.agreement_id and a.agreement_version == version for a in signed
        )
        command = SignAgreement(merchant, request.agreement_id, version, AgreementKind.SERVICE)
        granted(await self._shell.store.run(command))
        row = await self.merchant(request.merchant_id, call)
        return pb.MerchantServiceSignAgreementResponse(
            merchant=await self._shown(row), replayed=before
        )

    async def SetWaybillService(
        self, request: pb.MerchantServiceSetWaybillServiceRequest, call: Call
    ) -> pb.MerchantServiceSetWaybillServiceResponse:
        service = request.waybill_service
        network = network_of(
            service.carrier, service.channel_code, self._shell.terms, "waybill_service."
        )
        if network is None:
            raise refused((Refusal(Why.CARRIER_NOT_CONFIGURED, field="waybill_service.carrier"),))
        merchant = call.caller.merchant(request.merchant_id)
        command = SetWaybillService(merchant, network, service.opened)
        granted(await self._shell.store.run(command))
        row = await self.merchant(request.merchant_id, call)
        return pb.MerchantServiceSetWaybillServiceResponse(merchant=await self._shown(row))

    async def merchant(self, name: str, call: Call) -> Merchant:
        if not name:
            raise invalid([("merchant_id", "needed")])
        key = call.caller.merchant(name)
        found = await self._shell.store.rows(Merchant, "merchant", id=key)
        if not found:
            raise refused((Refusal(Why.MERCHANT_UNKNOWN, field="merchant_id"),))
        return found[0]

    async def _shown(self, row: Merchant) -> pb.Merchant:
        terms, key = self._shell.terms, {"merchant": row.id}
        agreements, services = await self._shell.store.several(
            (Agreement, "agreements_of_merchant", key),
            (WaybillService, "services_of_merchant", key),
        )
        channels = dict(_channels(terms))
        return pb.Merchant(
            id=short(row.id),
            type=TYPES.get(row.kind, pb.MERCHANT_TYPE_OTHER),
            cross_border=row.cross_border,
            cancel_order_enabled=row.cancel_order,
            store_status=STORES[row.store_status],
            service_contract_signed=row.contract_signed,
            wallet_open=row.wallet_open,
            wallet_currency=row.currency,
            agreements=[
                pb.Agreement(
                    agreement_id=a.agreement,
                    version=a.agreement_version,
                    kind=KINDS[a.kind],
                    signed_at=time(a.signed_at),
                )
                for a in agreements
            ],
            waybill_services=[
                pb.WaybillService(carrier=carrier, channel_code=code, opened=s.opened)
                for s in services
                for carrier, code in [channels.get(s.network, (s.network, ""))]
            ],
            payment_agreement_ids=sorted(terms.payment_agreements.get(row.tenant, ())),
            updated_at=time(row.updated_at),
        )


KINDS = {
    AgreementKind.SERVICE: pb.AGREEMENT_KIND_SERVICE,
    AgreementKind.PAYMENT: pb.AGREEMENT_KIND_PAYMENT,
}


def _channels(terms: Terms) -> Iterator[tuple[str, tuple[str, str]]]:
    """Network -> the channel that leads to it, and its code there; the network's own comes last,
    so that it is the one that is shown."""
    configured = [terms.adapters[name] for name in terms.contracts]
    for adapter in sorted(configured, key=lambda adapter: not adapter.networks):
        for code, network in (adapter.networks or {"": adapter.network}).items():
            yield network, (adapter.name, code)
