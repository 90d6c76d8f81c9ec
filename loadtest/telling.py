"""What a platform tells of a parcel: its carrier, and the gateway, from registration to claim."""

from typing import Any

from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import types_pb2 as types
from loadtest.carriers import Account
from loadtest.client import yuan
from loadtest.fleet import PAYMENT_AGREEMENT
from loadtest.scenario import Contact, Line, Order, Parcel

DAMAGED = frozenset({"damaged", "damaged_after_return"})
PHOTO = types.Proof(
    kind="photo", uri="https://evidence.example/photo.jpg", sha256="5f" * 32
)  # a reference only: nobody fetches it


def contact(given: Contact) -> types.Contact:
    return types.Contact(
        name=given.name,
        phone=given.phone,
        province=given.province,
        city=given.city,
        district=given.district,
        street=given.street,
    )


def order(given: Order, *, cancelled: bool) -> types.Order:
    lines = [
        types.OrderLine(
            line_no=line.line_no,
            title=line.title,
            category=line.category,
            quantity=line.quantity,
            paid_amount=yuan(line.paid),
            list_amount=yuan(line.listed),
        )
        for line in given.lines
    ]
    return types.Order(
        order_no=given.order_no,
        parcel_count=given.parcel_count,
        lines=lines,
        cancelled=cancelled,
    )


def at_carrier(parcel: Parcel, account: Account, return_to: Contact) -> dict[str, object]:
    """As the simulator's control API takes it."""
    return {
        "carrier": parcel.carrier,
        "network": parcel.network or None,
        "account": account.user,
        "waybill": parcel.waybill,
        "order_id": parcel.orders[0].order_no,
        "status": parcel.status,
        "sender": _plain(return_to),
        "receiver": _plain(parcel.buyer),
        "value_minor": parcel.value,
        "script": dict(parcel.script) or None,
    }


def _plain(given: Contact) -> dict[str, Any]:
    return {
        "name": given.name,
        "phone": given.phone,
        "province": given.province,
        "city": given.city,
        "district": given.district,
        "street": given.street,
    }


def registration(
    parcel: Parcel, account: str, return_to: Contact, *, later: bool = False
) -> types.ParcelRegistration:
    """When it is shipped, nobody has cancelled yet; `later`, some have."""
    return types.ParcelRegistration(
        merchant_id=parcel.merchant,
        carrier=parcel.carrier,
        channel_code=parcel.code,
        waybill=parcel.waybill,
        account=account,
        orders=[order(each, cancelled=later and each.cancelled) for each in parcel.orders],
        sender=contact(return_to),
        receiver=contact(parcel.buyer),
    )


def creation(parcel: Parcel, quote_id: str) -> intercepts.InterceptServiceCreateRequest:
    return intercepts.InterceptServiceCreateRequest(
        request_id=f"create/{parcel.waybill}",
        quote_id=quote_id,
        action=types.ACTION_RETURN,
        agreement_id=PAYMENT_AGREEMENT,
        cancel_ticket=f"T{parcel.orders[0].order_no}",
        reason="买家取消订单",
    )


def ground(shown: intercepts.Interception, outcome: str) -> str | None:
    """What a merchant may claim for now; of damage he knows when he has the parcel back."""
    if shown.movement == intercepts.MOVEMENT_LOST:
        return "LOST"
    if shown.movement == intercepts.MOVEMENT_RETURN_FAILED:
        liable = shown.movement_cause != intercepts.MOVEMENT_CAUSE_SENDER_REFUSED
        return "RETURN_FAILED" if liable else None
    back = shown.movement == intercepts.MOVEMENT_RETURNED
    return "DAMAGED" if back and outcome in DAMAGED else None


def filing(
    interception: str, parcel: Parcel, kind: str, order: Order, line: Line
) -> claims.ClaimServiceFileRequest:
    return claims.ClaimServiceFileRequest(
        request_id=f"claim/{parcel.waybill}/{order.order_no}/{line.line_no}/{kind}"[:64],
        interception_id=interception,
        kind=f"CLAIM_KIND_{kind}",
        order_no=order.order_no,
        line_no=line.line_no,
        loss=yuan(line.listed),
        description=f"{line.title}：拦截后未完好退回",
        evidence=[PHOTO] if kind == "DAMAGED" else [],
    )
