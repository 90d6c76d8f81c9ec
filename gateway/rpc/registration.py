"""Registrations: what a platform says of a parcel, as the command that records it."""

from collections.abc import Iterator

from gateway.config import Settings
from gateway.domain.carrier import Status
from gateway.domain.fees import Terms
from gateway.domain.money import Money
from gateway.domain.parcel import OrderLine, Person
from gateway.domain.refusal import Refusal, Why
from gateway.domain.register import RegisterParcel
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc.auth import Caller
from gateway.rpc.errors import invalid, refused
from gateway.rpc.messages import STATUS

STATUSES = {number: Status(name) for name, number in STATUS.items()}


def register(
    given: types.ParcelRegistration, merchant: str, caller: Caller, settings: Settings, terms: Terms
) -> RegisterParcel:
    """Raises Failure where the message does not make a command."""
    network = network_of(given.carrier, given.channel_code, terms, "parcel.")
    if network is None:
        raise refused((Refusal(Why.CARRIER_NOT_CONFIGURED, field="carrier"),))
    own = merchant or given.merchant_id
    faults = []
    if not own:
        faults.append(("parcel.merchant_id", "needed"))
    elif merchant and given.merchant_id not in ("", merchant):
        faults.append(("registration.merchant_id", "another merchant than the request's"))
    faults += _faults(given)
    if faults:
        raise invalid(faults)
    return RegisterParcel(
        tenant=caller.tenant,
        merchant=caller.merchant(own),
        channel=given.carrier,
        network=network,
        account=account_of(given.carrier, given.account, caller, settings),
        waybill=given.waybill,
        declared=STATUSES.get(given.declared_status, Status.UNKNOWN),
        lines=tuple(_lines(given)),
        people=tuple(_people(given)),
    )


def account_of(channel: str, asked: str, caller: Caller, settings: Settings) -> str:
    """The carrier account: the one named, or the only one the tenant may use, or `default`."""
    accounts = settings.carriers[channel].accounts
    mine = [
        name
        for name, account in accounts.items()
        if not account.tenants or caller.tenant in account.tenants
    ]
    if asked in mine:
        return asked
    if not asked and len(mine) == 1:
        return mine[0]
    if not asked and "default" in mine:
        return "default"
    raise refused((Refusal(Why.CARRIER_NOT_CONFIGURED, field="account"),))


def network_of(channel: str, code: str, terms: Terms, field: str = "") -> str | None:
    """The company that carries the parcels of a channel. None: no such channel is configured.

    An aggregator names it by a code of its own; raises Failure where that is wrong.
    """
    if channel not in terms.contracts:
        return None
    adapter = terms.adapters[channel]
    if not adapter.networks and not code:
        return adapter.network
    if code in adapter.networks:
        return adapter.networks[code]
    known = ", ".join(adapter.networks) or "empty: this carrier carries its own parcels"
    raise invalid([(f"{field}channel_code", known)])


def _faults(given: types.ParcelRegistration) -> Iterator[tuple[str, str]]:
    """What no field can tell alone: names used twice, lines without a value, two currencies."""
    currencies = set()
    orders = set()
    for i, order in enumerate(given.orders):
        if order.order_no in orders:
            yield f"orders[{i}].order_no", "twice in one box"
        orders.add(order.order_no)
        lines = set()
        for j, line in enumerate(order.lines):
            where = f"orders[{i}].lines[{j}]"
            if line.line_no in lines:
                yield f"{where}.line_no", "twice in one order"
            lines.add(line.line_no)
            amounts = [
                getattr(line, name)
                for name in ("paid_amount", "declared_amount", "list_amount")
                if line.HasField(name)
            ]
            currencies |= {amount.currency_code for amount in amounts}
            if not amounts:
                yield f"{where}.paid_amount", "one amount at least is needed"
    if len(currencies) > 1:
        yield "orders", "amounts of one currency only"


def _lines(given: types.ParcelRegistration) -> Iterator[OrderLine]:
    for order in given.orders:
        for line in order.lines:
            yield OrderLine(
                id="",
                parcel="",
                order_no=order.order_no,
                line_no=line.line_no,
                parcels=max(1, order.parcel_count),
                cancelled=order.cancelled,
                title=line.title,
                category=line.category,
                quantity=line.quantity,
                paid_minor=_minor(line, "paid_amount"),
                declared_minor=_minor(line, "declared_amount"),
                list_minor=_minor(line, "list_amount"),
            )


def _minor(line: types.OrderLine, name: str) -> int:
    if not line.HasField(name):
        return 0
    amount = getattr(line, name)
    return Money.of_units(amount.units, amount.nanos, amount.currency_code).minor


def _people(given: types.ParcelRegistration) -> Iterator[Person]:
    for role in ("sender", "receiver"):
        if given.HasField(role):
            it = getattr(given, role)
            yield Person(
                "", "", role, it.name, it.phone, it.province, it.city, it.district, it.street
            )
