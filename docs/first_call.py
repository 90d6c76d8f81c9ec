"""A first interception: a merchant, a parcel that is on its way, a quote, and a stop.

Needs the simulator and the gateway of docs/turnback.toml; README says how to start both.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

import grpc
from google.type.money_pb2 import Money

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercept
from gateway.pb.turnback.v1 import intercept_service_pb2_grpc as intercept_grpc
from gateway.pb.turnback.v1 import merchant_service_pb2 as merchant
from gateway.pb.turnback.v1 import merchant_service_pb2_grpc as merchant_grpc
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallet
from gateway.pb.turnback.v1 import wallet_service_pb2_grpc as wallet_grpc

CONTROL = os.environ.get("CONTROL", "http://127.0.0.1:8702")
GATEWAY = os.environ.get("GATEWAY", "127.0.0.1:50051")
SENDER = {
    "name": "林溪文具",
    "phone": "19900000001",
    "province": "浙江省",
    "city": "杭州市",
    "district": "余杭区",
    "street": "文一西路 1 号",
}
RECEIVER = {
    "name": "陈一",
    "phone": "19900000002",
    "province": "北京市",
    "city": "北京市",
    "district": "朝阳区",
    "street": "建国路 2 号",
}


def tell_simulator(path: str, body: object) -> None:
    """The simulator plays the carrier: it must know our account and the parcel."""
    request = urllib.request.Request(
        CONTROL + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=5).close()
    except urllib.error.HTTPError as error:
        sys.exit(f"the simulator says: {json.load(error)['error']}")
    except urllib.error.URLError as error:
        sys.exit(f"no simulator at {CONTROL} ({error.reason}): README says how to start it")


def token(name: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {name}"),)


def main() -> None:
    waybill = sys.argv[1] if len(sys.argv) > 1 else f"SF{int(time.time()):013d}"
    account = {"carrier": "sf", "account": "TRY", "credentials": {"checkword": "try-checkword"}}
    tell_simulator("/accounts", account)
    parcel = {"carrier": "sf", "account": "TRY", "waybill": waybill, "status": "in_transit"}
    parcel |= {"sender": SENDER, "receiver": RECEIVER, "value_minor": 12900}
    tell_simulator("/parcels", {"parcels": [parcel | {"script": {"outcome": "returned"}}]})

    with grpc.insecure_channel(GATEWAY) as channel:
        merchants = merchant_grpc.MerchantServiceStub(channel)
        interceptions = intercept_grpc.InterceptServiceStub(channel)
        wallets = wallet_grpc.WalletServiceStub(channel)

        shop = merchant.Merchant(
            id="linxi",
            title="林溪文具",
            type=merchant.MERCHANT_TYPE_POP_SOP,
            cancel_order_enabled=True,
            store_status=merchant.STORE_STATUS_OPERATING,
            service_contract_signed=True,
            wallet_open=True,
            wallet_currency="CNY",
        )
        me = token("try-tenant")
        merchants.Upsert(merchant.MerchantServiceUpsertRequest(merchant=shop), metadata=me)
        for agreement in ("parcel-interception-service", "store-logistics-interception"):
            signed = merchant.MerchantServiceSignAgreementRequest(
                request_id=f"sign-{agreement}",
                merchant_id="linxi",
                agreement_id=agreement,
                version="2023-08",
                kind=merchant.AGREEMENT_KIND_SERVICE,
            )
            merchants.SignAgreement(signed, metadata=me)
        service = merchant.MerchantServiceSetWaybillServiceRequest(
            merchant_id="linxi",
            waybill_service=merchant.WaybillService(carrier="sf", opened=True),
        )
        merchants.SetWaybillService(service, metadata=me)
        money = wallet.WalletServiceTopUpRequest(
            request_id=f"top-up-{waybill}",
            merchant_id="linxi",
            amount=Money(currency_code="CNY", units=100),
            external_reference=f"bank-{waybill}",
        )
        wallets.TopUp(money, metadata=token("try-treasury"))

        line = types.OrderLine(
            line_no="1",
            title="羊毛围巾",
            category="apparel",
            quantity=1,
            paid_amount=Money(currency_code="CNY", units=129),
        )
        order = types.Order(order_no=f"O-{waybill}", parcel_count=1, lines=[line])
        registration = types.ParcelRegistration(
            merchant_id="linxi",
            carrier="sf",
            waybill=waybill,
            account="main",
            orders=[order],
            sender=types.Contact(**SENDER),
            receiver=types.Contact(**RECEIVER),
        )
        asked = intercept.InterceptServiceQuoteRequest(
            merchant_id="linxi", registration=registration
        )
        quote = interceptions.Quote(asked, metadata=me).quote
        back = quote.actions[0]
        for condition in back.unmet:
            print(condition.reason, condition.messages[-1].message)
        print(f"quote {quote.id}: {back.fee.units}.{back.fee.nanos // 10**7:02d} CNY")

        create = intercept.InterceptServiceCreateRequest(
            request_id=f"stop-{waybill}",  # repeat it after any error: never twice, never lost
            quote_id=quote.id,
            agreement_id="platform-service",
            cancel_ticket=f"cancel-{waybill}",
        )
        answer = interceptions.Create(create, metadata=me, timeout=2)
        decision = intercept.Decision.Name(answer.interception.decision)
        advice = intercept.RefundAdvice.Name(answer.refund_advice)
        print(f"interception {answer.interception.id}: {decision}, {advice}")


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as error:
        sys.exit(f"the gateway at {GATEWAY} says {error.code().name}: {error.details()}")
