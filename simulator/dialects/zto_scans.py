"""How ZTO shows one scan, or one notice about an interception, in tracking and in pushes alike."""

from datetime import datetime, timedelta, timezone

from simulator.depot import Record
from simulator.dialects.zto_tables import (
    ACTIONS,
    FACILITIES,
    NOTICE_STATES,
    PROBLEMS,
    RETURN_TYPES,
    STATES,
)
from simulator.world import Event, Mark, Place

CHINA = timezone(timedelta(hours=8))


def wire_time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, CHINA):%Y-%m-%d %H:%M:%S}"


def _facility(record: Record, place: Place) -> tuple[str, str, str]:
    city = record.parcel.near(place).city
    suffix, number = FACILITIES[place]
    return f"{city}{suffix}", city, number


def show_scan(record: Record, mark: Mark) -> dict[str, str]:
    parcel = record.parcel
    action, text = ACTIONS[mark.event]
    facility, city, number = _facility(record, mark.place)
    shown = {
        "billCode": mark.waybill,
        "action": action,
        "actionTime": wire_time(mark.at_ms),
        "facilityCode": number,
        "facilityName": facility,
        "city": city,
        "desc": f"【{city}】{text}",
    }
    if mark.next_place is not None:
        shown["nextNodeName"], shown["nextCity"], _ = _facility(record, mark.next_place)
    if mark.event in PROBLEMS:
        shown["problemCode"] = PROBLEMS[mark.event]
    if mark.cause is not None:
        shown["returnType"] = RETURN_TYPES[mark.cause]
        shown["returnUpdateType"] = "1"
        if parcel.return_waybill != parcel.waybill:
            shown["newBillCode"] = parcel.return_waybill
    if mark.event in (Event.SIGNED, Event.RETURN_SIGNED):
        shown["signer"] = "收件人" if mark.event is Event.SIGNED else "寄件人"
    if mark.event is Event.RETURN_SIGNED and _plainly_signed(record):
        shown["action"] = "SIGNED"
    return shown


def _plainly_signed(record: Record) -> bool:
    """On its own new number, or where the script says so, the way back ends like any other."""
    if record.parcel.return_waybill != record.parcel.waybill:
        return True
    return any(e.params.text("return_sign", "") == "signed" for e in record.journal)


def show_notice(record: Record, mark: Mark) -> dict[str, str]:
    entry, name = record.by_reference(mark.reference), NOTICE_STATES[mark.event]
    return {
        "billCode": mark.waybill,
        "requestId": mark.reference,
        "thirdBizNo": entry.external_no if entry else "",
        "centerBizNo": entry.business_no if entry else "",
        "status": name,
        "statusName": STATES[name],
        "actionTime": wire_time(mark.at_ms),
    }
