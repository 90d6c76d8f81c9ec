"""What the clients of a crash run ship and stop: kinds of interceptions, and each as it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.pb.turnback.v1 import types_pb2 as types
from loadtest.client import yuan
from loadtest.fleet import Fleet

MINUTE_MS = 60_000
LINE_VALUE = 20_000
LINES = ("1", "2", "3")
BROKEN = "broken"  # a channel whose adapter fails: what its jobs meet is an error of our own code
STAND_IN = "zto"  # the carrier that this channel leads to
WAYBILLS = {"sf": "SF7{:012}", STAND_IN: "{:012}"}
PARAMS: Mapping[str, int] = {
    "turn_ms": 10 * MINUTE_MS,
    "return_ms": 120 * MINUTE_MS,
    "lost_ms": 20 * MINUTE_MS,
    "damaged_ms": 20 * MINUTE_MS,
    "claim_ms": 30 * MINUTE_MS,
    "deliver_ms": 60 * MINUTE_MS,
}
SENDER = {
    "name": "沈仓",
    "phone": "19900009999",
    "province": "浙江省",
    "city": "嘉兴市",
    "district": "南湖区",
    "street": "仓储路 18 号",
}
RECEIVER = SENDER | {"name": "顾客", "phone": "19900000001", "city": "杭州市", "district": "西湖区"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of interception: where, how it ends, and what goes wrong on the way."""

    channel: str
    outcome: str = "returned"
    fault: str = ""
    withdraw: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def carrier(self) -> str:
        return STAND_IN if self.channel == BROKEN else self.channel


LOST = {"sf": Kind("sf", "lost"), "zto": Kind("zto", "lost")}
WITHDRAWN = (Kind("sf", withdraw=True), Kind("zto", withdraw=True))
POISON = Kind(BROKEN)
SLOW = Kind("sf", fault="slow", more={"operation": "track", "params": {"ms": 450}})
HELD = {"params": {"ms": 900}}  # longer than the gateway waits
KINDS = (
    Kind("sf"),
    Kind("zto"),
    Kind("sf", "returned", "reset_after"),
    Kind("zto", "returned", "reset_after"),
    Kind("sf", "refused"),
    Kind("zto", "refused", more={"when": "later"}),
    Kind("sf", "accepted_by_push"),
    Kind("zto", "returned", "http_500"),
    Kind("sf", "returned", "timeout_after", more=HELD),
    Kind("zto", "returned", "timeout_after", more=HELD),
    Kind("sf", "delivered_anyway"),
    Kind("zto", "delivered_anyway"),
    Kind("sf", "returned", "busy_code"),
    Kind("zto", "returned", "truncated"),
    Kind("sf", "damaged_after_return"),
    Kind("zto", "returned", "push_duplicate"),
    Kind("sf", "buyer_refused"),
    Kind("zto", "intercepted_by_other"),
    Kind("sf", "refused_unlisted"),
    Kind("zto", "returned", "push_reorder"),
    *WITHDRAWN,
    Kind("sf", "returned", "reset_before"),
    Kind("zto", "returned", "busy_429"),
    *LOST.values(),
)


@dataclass(slots=True)
class Case:
    """One interception as its client knows it."""

    kind: Kind
    merchant: str
    waybill: str
    order_no: str
    request_id: str
    fee: int = 0
    point: str = ""  # armed when its Create was acknowledged
    answers: set[tuple[str, int]] = field(default_factory=set)  # (interception, fee)

    @property
    def carrier(self) -> str:
        return self.kind.carrier

    @property
    def interception(self) -> str:
        return next(iter(self.answers))[0] if self.answers else ""


def shipped(case: Case, fleet: Fleet) -> Mapping[str, Any]:
    """The parcel as the simulator is told of it."""
    kind = case.kind
    (account,) = (each for each in fleet.accounts if each.carrier == case.carrier)
    script: dict[str, Any] = {"outcome": kind.outcome, "params": dict(PARAMS)}
    if kind.fault:
        script["faults"] = [{"name": kind.fault, **kind.more}]
    else:
        script["params"] |= kind.more
    return {
        "carrier": case.carrier,
        "account": account.user,
        "waybill": case.waybill,
        "order_id": case.order_no,
        "status": "in_transit",
        "sender": SENDER,
        "receiver": RECEIVER,
        "value_minor": LINE_VALUE * len(LINES),
        "script": script,
    }


def registering(case: Case) -> parcels.ParcelServiceRegisterRequest:
    return parcels.ParcelServiceRegisterRequest(parcel=registration(case))


def registration(case: Case) -> types.ParcelRegistration:
    """The parcel as the gateway is told of it."""
    lines = [
        types.OrderLine(
            line_no=line,
            title="茶具",
            category="home_storage",
            quantity=1,
            paid_amount=yuan(LINE_VALUE),
            list_amount=yuan(LINE_VALUE),
        )
        for line in LINES
    ]
    order = types.Order(order_no=case.order_no, parcel_count=1, lines=lines, cancelled=True)
    return types.ParcelRegistration(
        merchant_id=case.merchant,
        carrier=case.kind.channel,
        waybill=case.waybill,
        orders=[order],
        sender=types.Contact(**SENDER),
        receiver=types.Contact(**RECEIVER),
    )
