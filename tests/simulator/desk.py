"""A merchant's side of the wire, with signatures of its own, against a simulator that runs."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

import aiohttp

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SENDER = {
    "name": "张三",
    "phone": "13800001234",
    "province": "广东省",
    "city": "深圳市",
    "district": "南山区",
    "street": "科技路1号",
}
RECEIVER = {**SENDER, "name": "李四", "phone": "13900005678", "city": "北京市"}
DESTINATION = {
    "province": "广东省",
    "city": "深圳市",
    "county": "南山区",
    "address": "科技路1号",
    "contact": "张三",
    "phone": "13800001234",
}
Json = dict[str, Any]


def sf_digest(text: str, checkword: str) -> str:
    java = quote_plus(text + checkword, safe="*").replace("~", "%7E")
    return base64.b64encode(hashlib.md5(java.encode()).digest()).decode()


def zto_digest(text: str, secret: str) -> str:
    return base64.b64encode(hashlib.md5((text + secret).encode()).digest()).decode()


@dataclass
class Received:
    path: str
    body: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case

    @property
    def data(self) -> Json:
        """What a ZTO push carries."""
        sealed = json.loads(json.loads(self.body)["data"])
        assert isinstance(sealed, dict)
        return sealed

    @property
    def kind(self) -> str:
        return str(json.loads(self.body)["msg_type"])

    @property
    def genuine(self) -> bool:
        sealed = json.loads(self.body)
        return bool(sealed["data_digest"] == zto_digest(sealed["data"], "zs"))

    @property
    def routes(self) -> list[Json]:
        """What an SF push in its JSON generation carries."""
        routes = json.loads(self.body)["Body"]["WaybillRoute"]
        assert isinstance(routes, list)
        return routes


@dataclass
class Desk:
    """Everything a test does to the simulator."""

    session: aiohttp.ClientSession
    carriers: str
    controls: str
    inbox_url: str
    inbox: list[Received] = field(default_factory=list)
    acknowledge: bool = True
    serial: int = 0

    async def control(
        self, method: str, path: str, body: object = None, headers: Json | None = None
    ) -> tuple[int, Any]:
        url = self.controls + path
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.content_type == "application/json":
                return answer.status, json.loads(text)
            return answer.status, [json.loads(line) for line in text.splitlines()]

    async def parcel(self, carrier: str, script: Json | None = None, **fields: Any) -> str:
        self.serial += 1
        waybill = {"sf": f"SF{10**12 + self.serial}", "zto": f"73{10**9 + self.serial}"}[carrier]
        account = {"sf": "P1", "zto": "Z1"}[carrier]
        body = {
            "carrier": carrier,
            "account": account,
            "waybill": waybill,
            "order_id": f"O{waybill}",
            "status": "in_transit",
            "sender": SENDER,
            "receiver": RECEIVER,
            "value_minor": 50_000,
            "script": script,
            **fields,
        }
        status, answer = await self.control("POST", "/parcels", {"parcels": [body]})
        assert status == 200, answer
        return waybill

    async def advance(self, advance_ms: int) -> Json:
        status, answer = await self.control("POST", "/clock", {"advance_ms": advance_ms})
        assert status == 200, answer
        assert isinstance(answer, dict)
        return answer

    async def truth(self, waybill: str) -> Json:
        status, lines = await self.control("GET", f"/truth?waybill={waybill}")
        assert status == 200
        (line,) = lines
        assert isinstance(line, dict)
        return line

    def sf_form(self, service: str, message: Json, checkword: str = "cw") -> dict[str, str]:
        self.serial += 1
        text = json.dumps(message, ensure_ascii=False)
        return {
            "partnerID": "P1",
            "requestID": f"request-{self.serial}",
            "serviceCode": service,
            "timestamp": "1700000000000",
            "msgData": text,
            "msgDigest": sf_digest(text + "1700000000000", checkword),
        }

    async def sf(self, service: str, message: Json) -> Json:
        url, form = f"{self.carriers}/sf/std/service", self.sf_form(service, message)
        async with self.session.post(url, data=form) as answer:
            outer = await answer.json(content_type=None)
        assert outer["apiResultCode"] == "A1000", outer
        inner = json.loads(outer["apiResultData"])
        assert isinstance(inner, dict)
        return inner

    async def sf_intercept(self, waybill: str) -> Json:
        message = {
            "waybillNo": waybill,
            "serviceCode": "2",
            "role": 1,
            "payMode": 4,
            "monthlyCardNo": "7550000001",
            "newDestAddress": DESTINATION,
        }
        return await self.sf("EXP_RECE_WANTED_INTERCEPT", message)

    async def sf_codes(self, number: str) -> list[str]:
        message = {"trackingType": "1", "trackingNumber": [number], "checkPhoneNo": "1234"}
        answer = await self.sf("EXP_RECE_SEARCH_ROUTES", message)
        (found,) = answer["msgData"]["routeResps"]
        return [route["opCode"] for route in found["routes"]]

    async def zto(self, api: str, message: Json) -> Json:
        text = json.dumps(message)
        headers = {
            "Content-Type": "application/json",
            "x-companyid": "Z1",
            "x-datadigest": zto_digest(text, "zs"),
        }
        url = f"{self.carriers}/zto/{api}"
        async with self.session.post(
            url, data=text.encode(), headers=headers, allow_redirects=False
        ) as answer:
            found = await answer.json(content_type=None)
        assert isinstance(found, dict)
        return found

    async def zto_intercept(self, waybill: str, request_id: str = "r1") -> Json:
        message = {
            "billCode": waybill,
            "requestId": request_id,
            "destinationType": "2",
            "thirdBizNo": f"t-{request_id}",
        }
        return await self.zto("thirdcenter.createIntercept", message)

    async def zto_state(self, waybill: str) -> str:
        answer = await self.zto("thirdcenter.queryInterceptAndReturnStatus", {"billCode": waybill})
        return str(answer["data"]["status"] if answer["status"] else answer["statusCode"])

    async def zto_actions(self, waybill: str) -> list[str]:
        answer = await self.zto("zto.merchant.waybill.track.query", {"billCode": waybill})
        return [scan.get("problemCode") or scan["action"] for scan in answer["result"]]

    def pushed(self, waybill: str) -> list[Received]:
        return [push for push in self.inbox if waybill.encode() in push.body]
