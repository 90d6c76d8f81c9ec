"""JD's own side of both channels: one verb that cancels or intercepts, and how a parcel stands."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from simulator import world
from simulator.depot import Depot, Record
from simulator.outcomes import Reason
from simulator.world import Cause, Event, Interception, Mark, Place

CHINA = timezone(timedelta(hours=8))
NETWORK = "jd"

STATUSES = {  # level 1
    "100": "已接单",
    "420": "已揽收",
    "430": "运输中",
    "440": "派送中",
    "480": "已拦截",
    "500": "异常终止",
    "510": "妥投",
    "530": "拒收",
    "690": "已取消",
}
ORDERED, CANCELLED, RELABELLED = "200000", "200010", "200020"  # the first assumed
STATES: dict[Event, tuple[str, str, str]] = {  # status, state, title; states assumed but two
    Event.PICKED_UP: ("420", "200001", "揽收完成"),
    Event.DEPARTED: ("430", "200002", "分拣发货"),
    Event.ARRIVED: ("430", "200003", "分拣到货"),
    Event.AT_OUTLET: ("430", "200004", "站点验货"),
    Event.OUT_FOR_DELIVERY: ("440", "200005", "配送员收货"),
    Event.SIGNED: ("510", "200006", "妥投"),
    Event.ADDRESSEE_REFUSED: ("530", "10035", "拒收"),
    Event.RETURN_STARTED: ("480", RELABELLED, "换单打印"),
    Event.RETURN_PICKED_UP: ("420", "200001", "揽收完成"),
    Event.RETURN_DEPARTED: ("430", "200002", "分拣发货"),
    Event.RETURN_ARRIVED: ("430", "200003", "分拣到货"),
    Event.RETURN_AT_OUTLET: ("430", "200004", "站点验货"),
    Event.RETURN_OUT_FOR_DELIVERY: ("440", "200005", "配送员收货"),
    Event.RETURN_SIGNED: ("510", "200006", "妥投"),
    Event.LOST: ("500", "200071", "货物遗失"),
    Event.FOUND: ("430", "200072", "货物已找到"),
    Event.DAMAGED: ("430", "200073", "货物破损"),
}
STICKY = frozenset({"480", "530"})  # what was stopped stays so until it is handed over or lost
SITES = {
    Place.ORIGIN_OUTLET: ("营业部", "1001"),
    Place.ORIGIN_HUB: ("分拣中心", "1002"),
    Place.DESTINATION_HUB: ("分拣中心", "2002"),
    Place.DESTINATION_OUTLET: ("营业部", "2001"),
}


@dataclass(frozen=True, slots=True)
class Stopped:
    """What one request to stop a parcel has come to."""

    cancelled: bool = False  # the order, before pick-up
    already: bool = False  # the order had been cancelled before
    entry: Interception | None = None  # after pick-up


def stop(record: Record, depot: Depot, now_ms: int, *, at_once: bool, twice: bool) -> Stopped:
    """Before pick-up the order is cancelled, and its number not used again; then it intercepts."""
    if record.parcel.order_cancelled_ms is not None:
        return Stopped(already=True)
    if world.status(record.course(), now_ms) is world.Status.NOT_PICKED_UP:
        depot.cancel_order(record, now_ms)
        return Stopped(cancelled=True)
    reference = f"{record.parcel.waybill}-{1 + len(record.journal)}"  # the wire brings none
    entry = depot.intercept(record, reference, "", now_ms, at_once)
    return Stopped(entry=depot.repeat(record, entry) if twice else entry)


def refusal(entry: Interception) -> Reason | None:
    """Why the carrier said no at once; None where it said yes, or took the request."""
    if entry.receipt_only or entry.refused_ms is None:
        return None
    return entry.reason or Reason.UNLISTED


def status_of(record: Record, waybill: str, now_ms: int) -> str:
    """The level-1 status of this number."""
    parcel = record.parcel
    if waybill == parcel.waybill and parcel.order_cancelled_ms is not None:
        return "690"
    found = "100"
    for mark in record.course():
        if mark.at_ms > now_ms or mark.waybill != waybill:
            continue
        if mark.event is Event.INTERCEPT_ACCEPTED:
            found = "480"
        elif mark.event in STATES:
            new = _status(mark)
            found = found if found in STICKY and new not in ("500", "510") else new
    return found


def _status(mark: Mark) -> str:
    refused = mark.cause is Cause.ADDRESSEE_REFUSED
    return "530" if refused else STATES[mark.event][0]


def wire_time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}"


def number(large: int) -> str:
    return f"JDVC{10**10 + large % (9 * 10**10)}"


def show(record: Record, mark: Mark) -> dict[str, object]:
    """One scan, in the trace and in pushes alike."""
    parcel = record.parcel
    _, state, title = STATES[mark.event]
    remark = title
    if mark.event is Event.RETURN_STARTED and parcel.return_waybill != parcel.waybill:
        remark = f"{title},新运单号{parcel.return_waybill}"
    return _row(record, mark, _status(mark), state, title, remark)


def _row(
    record: Record, mark: Mark, status: str, state: str, title: str, remark: str
) -> dict[str, object]:
    parcel = record.parcel
    where = parcel.near(mark.place)
    suffix, site = SITES[mark.place]
    return {
        "waybillCode": mark.waybill,
        "orderId": parcel.order_id,
        "state": state,
        "category": status,
        "categoryName": STATUSES[status],
        "operationTitle": title,
        "operationTime": wire_time(mark.at_ms),
        "operationRemark": remark,
        "operateSite": f"{where.city}{suffix}",
        "operateSiteId": site,
        "routeProvinceName": where.province,
        "routeCityName": where.city,
        "routeDistrictName": where.district,
        "scanType": state,  # what stands here is not told
    }


def trace(record: Record, waybill: str, now_ms: int) -> list[dict[str, object]]:
    """All that has been seen of this number: its order, its scans, its cancellation."""
    parcel = record.parcel
    rows = [
        show(record, mark)
        for mark in world.scans(record.course(), now_ms)
        if mark.waybill == waybill
    ]
    if waybill != parcel.waybill:
        return rows
    ordered = _of_order(record, parcel.shipped_ms, "100", ORDERED, "已接单")
    cancelled_ms = parcel.order_cancelled_ms
    if cancelled_ms is None:
        return [ordered, *rows]
    return [ordered, *rows, _of_order(record, cancelled_ms, "690", CANCELLED, "取消完成")]


def _of_order(record: Record, at_ms: int, status: str, state: str, title: str) -> dict[str, object]:
    """Nothing moved: what the order's own system says, at the sender's outlet."""
    mark = Mark(at_ms, Event.PICKED_UP, record.parcel.waybill, Place.ORIGIN_OUTLET)
    return _row(record, mark, status, state, title, title)
