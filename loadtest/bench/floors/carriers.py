"""A carrier's interface by hand: a request as a user without a gateway would write it, and a push.

Signed as the carrier wants it, and nothing is checked but what is needed.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

JSON = "application/json; charset=UTF-8"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Known:
    """An account at a carrier."""

    user: str
    secret: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, signed and written."""

    body: bytes
    headers: dict[str, str]


def _digest(signed: str) -> str:
    return base64.b64encode(hashlib.md5(signed.encode(), usedforsecurity=False).digest()).decode()


def ask_zto(known: Known, key: str, waybill: str) -> Asked:
    asked = {"billCode": waybill, "requestId": key, "thirdBizNo": key, "destinationType": "2"}
    text = json.dumps(asked, ensure_ascii=False, separators=(",", ":"))
    digest = _digest(text + known.secret)
    return Asked(
        text.encode(),
        {"content-type": JSON, "x-companyid": known.user, "x-datadigest": digest},
    )


def hear_zto(body: bytes) -> str:
    told = json.loads(body)
    return str((told.get("data") or told["result"])["centerBizNo"])


def push_zto(known: Known, event: str, waybill: str, at: str) -> Asked:
    """A scan of a parcel on its way, as ZTO pushes it."""
    data = {
        "billCode": waybill,
        "action": "DEPARTURE",
        "actionTime": at,
        "facilityName": "杭州转运中心",
        "city": "杭州市",
        "nextNodeName": "上海转运中心",
        "desc": "快件已发往上海转运中心",
        "eventId": event,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    digest = _digest(text + known.secret)
    sealed = {"data": text, "data_digest": digest, "msg_type": "Traces", "company_id": known.user}
    return Asked(json.dumps(sealed, ensure_ascii=False).encode(), {"content-type": JSON})


def ask_sf(known: Known, key: str, waybill: str) -> Asked:
    place = {"province": "浙江省", "city": "嘉兴市", "county": "南湖区"}
    person = {"address": "仓储路 18 号", "contact": "沈仓", "phone": "19900009999"}
    payer = {"role": "1", "payMode": "4", "monthlyCardNo": "7550100001"}
    parcel = {"waybillNo": waybill, "serviceCode": "2", "newDestAddress": place | person}
    text = json.dumps(parcel | payer, ensure_ascii=False, separators=(",", ":"))
    stamp = "1781740800000"
    signed = quote_plus(text + stamp + known.secret, safe="*").replace("~", "%7E")
    form = {
        "partnerID": known.user,
        "requestID": str(uuid.uuid4()),
        "serviceCode": "EXP_RECE_WANTED_INTERCEPT",
        "timestamp": stamp,
        "msgDigest": _digest(signed),
        "msgData": text,
    }
    return Asked(urlencode(form).encode(), {"content-type": FORM})


def hear_sf(body: bytes) -> str:
    return str(json.loads(json.loads(body)["apiResultData"])["msgData"]["cusId"])


@dataclass(frozen=True, slots=True)
class Interface:
    """What is needed of a carrier to have a parcel intercepted."""

    path: str
    fresh: bool  # a connection for each call, as the gateway has it
    ask: Callable[[Known, str, str], Asked]
    hear: Callable[[bytes], str]  # the carrier's own number of the request


INTERFACES = {
    "zto": Interface("/thirdcenter.createIntercept", False, ask_zto, hear_zto),
    "sf": Interface("/std/service", True, ask_sf, hear_sf),
}
