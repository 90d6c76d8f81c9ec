"""The adapters and the simulator share no code: what one signs, the other must believe."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import ADAPTERS, wire
from gateway.domain.carrier import Call, Push, Stamp
from simulator.bodies import OptionsBody
from simulator.depot import Account
from simulator.dialect import Announcement, Answer, Dialect, Inbound
from simulator.dialects import sf, zto
from simulator.world import Mark
from tests.simulator.test_fuzz import depot

STAMP = Stamp(1_790_000_000_000, "nonce-1")
SF, ZTO = ADAPTERS["sf"], ADAPTERS["zto"]
SF_KEYS = {"partner_id": "A", "checkword": "s"}
ZTO_KEYS = {"app_key": "A", "app_secret": "s"}
UNSIGNED = {"A1006", "S207", "S208", "S206"}  # what a carrier says to a wrong digest
hostile = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
OPTIONS: list[dict[str, str]] = [
    {},
    {"digest": "sha256"},
    {"digest": "hmac_sha256", "secret_key": "k"},
    {"digest_encoding": "hex"},
    {"digest_timestamp": "true"},
    {"body_format": "form"},
]


def code(dialect: Dialect, inbound: Inbound, options: OptionsBody | None = None) -> str:
    """The refusal of a request, or nothing."""
    held = depot(dialect.name)
    if options is not None:
        secrets = {"app_secret": "s", "secret_key": "k"}
        held.put_account(Account("zto", "A", secrets, None, options))
    asked = dialect.read(inbound, held)
    return asked.code if isinstance(asked, Answer) else ""


@given(text=hostile)
def test_sf_believes_what_its_adapter_signs(text: str) -> None:
    body = wire.json_text({"waybillNo": "W1", "serviceCode": "2", "remark": text}).encode()
    call = Call("POST", "/std/service", body, {"serviceCode": "EXP_RECE_WANTED_INTERCEPT"})
    for keys, believed in ((SF_KEYS, True), (SF_KEYS | {"checkword": "t"}, False)):
        sent = SF.sign(call, keys, STAMP)
        said = code(sf.DIALECT, Inbound("std/service", {}, sent.body))
        assert (said not in UNSIGNED) is believed, said


def as_options(settings: dict[str, str]) -> OptionsBody:
    given: Any = {n: v for n, v in settings.items() if n in OptionsBody.model_fields}
    return OptionsBody.model_validate(given)


@pytest.mark.parametrize("settings", OPTIONS, ids=str)
@given(text=hostile)
def test_zto_believes_what_its_adapter_signs(settings: dict[str, str], text: str) -> None:
    body = wire.json_text({"billCode": "W1", "requestId": "r", "thirdBizNo": text}).encode()
    call = Call("POST", "/thirdcenter.createIntercept", body, wire.JSON)
    for secret, believed in (("s", True), ("t", False)):
        sent = ZTO.sign(call, ZTO_KEYS | settings | {"app_secret": secret}, STAMP)
        inbound = Inbound(sent.path.lstrip("/"), sent.headers, sent.body)
        assert (code(zto.DIALECT, inbound, as_options(settings)) not in UNSIGNED) is believed


@given(name=hostile)
def test_an_adapter_believes_what_its_carrier_pushes(name: str) -> None:
    held = depot("zto")
    (record,) = held.records.values()
    account, push = record.account, ZTO.push
    assert push is not None
    mark: Mark = next(iter(record.course()))
    sent = zto.DIALECT.push(account, [Announcement(name, record, mark)])
    assert push.verify(Push({}, sent.body), ZTO_KEYS) is not None
    assert push.verify(Push({}, sent.body), ZTO_KEYS | {"app_secret": "t"}) is None
    assert push.decode(Push({}, sent.body)).waybills == ("W1",)
    _, forged = zto.DIALECT.forge(account, sent)
    assert push.verify(Push({}, forged.body), ZTO_KEYS) is None
