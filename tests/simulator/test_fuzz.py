"""Whatever a signed message holds, a dialect answers, and the truth can still be told."""

import json
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bodies import OptionsBody
from simulator.depot import Account, Depot, Record
from simulator.dialect import Answer, Asked, Dialect, Inbound
from simulator.dialects import sf, zto
from simulator.dialects.zto_tables import OPERATIONS
from simulator.outcomes import Outcome, Scenario, Script
from simulator.truth import truth_line
from simulator.world import HOUR_MS, Contact, Parcel, ReturnNumber
from tests.simulator.desk import DESTINATION, sf_digest, zto_digest

NOW_MS = 20 * HOUR_MS
WHO = Contact("a", "13800001234", "p", "c", "d", "s")
VALID_ZTO = {
    "billCode": "W1",
    "requestId": "r1",
    "thirdBizNo": "t1",
    "destinationType": "2",
    "traceId": "c1",
    "incident": {"type": "lose-claim", "billCode": "W1"},
    "extraInfo": {"expectedCompensationAmount": "412.50"},
    "bizNo": "none",
}
VALID_SF = {
    "waybillNo": "W1",
    "serviceCode": "2",
    "role": 1,
    "payMode": 1,
    "newDestAddress": DESTINATION,
    "cancel": False,
    "cusId": "none",
    "trackingType": "1",
    "trackingNumber": ["W1"],
    "checkPhoneNo": "1234",
    "orderId": "O1",
    "dealType": 2,
    "attributeNo": "W1",
    "type": "2",
}
NAMES = sorted(VALID_ZTO | VALID_SF)
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["W1", "2", "lose-claim", "\ud800", "\x00", "1e400", "x" * 70, "412.50"]),
)
messages = st.recursive(
    odd,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    ),
    max_leaves=20,
)
changes = st.dictionaries(st.sampled_from(NAMES), messages, max_size=4)


def depot(carrier: str) -> Depot:
    account = Account(carrier, "A", {"checkword": "s", "app_secret": "s"}, None, OptionsBody())
    found = Depot(1, Scenario())
    found.put_account(account)
    number = ReturnNumber.NEW
    parcel = Parcel(carrier, "A", "W1", "O1", 0, WHO, WHO, 50_000, number, "W2")
    found.add([Record(parcel, account, Script(Outcome.LOST), None)])
    return found


def answered(asked: Asked | Answer, dialect: Dialect, held: Depot) -> None:
    answer = asked
    if isinstance(asked, Asked):
        held.arrive(
            asked.account, asked.record, asked.operation, asked.waybill, asked.reference, NOW_MS, 0
        )
        answer = dialect.perform(asked, held, NOW_MS)
    assert isinstance(answer, Answer)
    orjson.loads(answer.body)
    for record in held.records.values():
        orjson.dumps(truth_line(record, "", NOW_MS * 10))


@pytest.mark.parametrize("api", OPERATIONS)
@given(change=changes)
def test_zto(api: str, change: dict[str, object]) -> None:
    text = json.dumps(VALID_ZTO | change)
    headers = {"x-companyid": "A", "x-datadigest": zto_digest(text, "s")}
    held = depot("zto")
    answered(zto.read(Inbound(api, headers, text.encode()), held), zto.DIALECT, held)


@pytest.mark.parametrize("service", sf.OPERATIONS)
@given(change=changes)
def test_sf(service: str, change: dict[str, object]) -> None:
    text = json.dumps(VALID_SF | change)
    form = {
        "partnerID": "A",
        "requestID": "r",
        "serviceCode": service,
        "timestamp": "1",
        "msgData": text,
        "msgDigest": sf_digest(text + "1", "s"),
    }
    held = depot("sf")
    answered(sf.read(Inbound("std/service", {}, urlencode(form).encode()), held), sf.DIALECT, held)


@given(body=st.binary(max_size=200))
def test_noise_is_refused(body: bytes) -> None:
    held = depot("sf")
    assert isinstance(sf.read(Inbound("std/service", {}, body), held), Answer)
    headers = {"x-companyid": "A", "content-type": "application/x-www-form-urlencoded"}
    held = depot("zto")
    assert isinstance(zto.read(Inbound(next(iter(OPERATIONS)), headers, body), held), Answer)


@given(body=st.binary(max_size=200), status=st.integers(100, 599))
def test_noise_is_no_acknowledgement(body: bytes, status: int) -> None:
    for dialect in (sf.DIALECT, zto.DIALECT):
        assert not dialect.acknowledged(status, body)
