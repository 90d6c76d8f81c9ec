"""The carriers that play: a row each, as both ends of the wire and the contract have it."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PICKED_UP, IN_TRANSIT = "picked_up", "in_transit"
AT_DESTINATION, OUT_FOR_DELIVERY = "at_destination", "out_for_delivery"
NOT_PICKED_UP = "not_picked_up"
ROAD = (PICKED_UP, IN_TRANSIT, AT_DESTINATION, OUT_FOR_DELIVERY)
KEY_BYTES = 12


@dataclass(frozen=True, slots=True)
class Carrier:
    """Whatever a run has to know of a carrier beforehand; what it can do, the gateway says."""

    name: str
    group: str  # where people complain
    fees: Mapping[str, int]  # of an interception by where the parcel is, in fen
    user: str  # the credential that is our name at the carrier
    secrets: tuple[str, ...]  # the other credentials; the carrier has them, too
    settings: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()  # settings that the carrier has, too
    sites: tuple[str, ...] = ()  # settings that are further addresses of the carrier
    called: str = ""  # our name at the carrier; empty: a new one in every run
    sees: tuple[str, ...] = ()  # whose parcels this account may look at beside its own
    options: Mapping[str, Any] = field(default_factory=dict)  # of the account, at the simulator
    payout: str = "offline"
    currency: str = "CNY"
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """One carrier account, as both ends of the wire know it."""

    carrier: str
    name: str  # in the gateway's configuration
    user: str  # what the carrier calls it
    gateway_credentials: Mapping[str, str] = field(repr=False)
    simulator_credentials: Mapping[str, str] = field(repr=False)
    push_secret: str = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)


def fees(*along: int, before: int | None = None) -> Mapping[str, int]:
    """By where a parcel is on its way; `before` it was picked up, where that is agreed.

    Carriers whose scans do not tell the last outlet from any other have one price for both.
    """
    early = {} if before is None else {NOT_PICKED_UP: before}
    return early | dict(zip(ROAD, along, strict=True))


TABLE = (
    Carrier(
        "sf",
        "企业微信群 顺丰理赔-华东",
        fees(800, 1_200, 1_500, 1_800, before=0),
        user="partner_id",
        secrets=("checkword",),
        settings={"monthly_card": "7550100001"},
        called="TURNBACKDEMO",
    ),
    Carrier(
        "zto",
        "企业微信群 中通理赔-华东",
        fees(500, 800, 1_000, 1_200),
        user="app_key",
        secrets=("app_secret",),
        called="6f1d0a7c2b9e4d58",
        payout="wallet",
    ),
    Carrier(
        "yto",
        "企业微信群 圆通理赔-华东",
        fees(450, 750, 750, 1_150, before=200),
        user="client_id",
        secrets=("app_secret",),
        settings={"suffix": "TBDEMO"},
        shared=("suffix",),
        sees=("kuaidi100",),
        options={"push": "subscribed"},
    ),
    Carrier(
        "jdl",
        "企业微信群 京东物流理赔",
        fees(900, 1_300, 1_300, 1_900, before=300),
        user="app_key",
        secrets=("app_secret", "refresh_token"),
        settings={"customer_code": "010K000001"},
        sites=("oauth_url",),
        sees=("ldop", "kuaidi100"),
        options={"push": "subscribed"},
    ),
    Carrier(
        "ldop",
        "企业微信群 京东商家理赔",
        fees(850, 1_250, 1_250, 1_850, before=0),
        user="app_key",
        secrets=("app_secret", "access_token"),
        settings={"vendor_code": "010V000001"},
    ),
    Carrier(
        "sto",
        "企业微信群 申通理赔-华东",
        fees(420, 720, 920, 1_120),
        user="app_key",
        secrets=("app_secret",),
        settings={"from_code": "TBDEMO"},
        sees=("kuaidi100",),
        options={"push": "subscribed", "push_format": "form"},
    ),
    Carrier(
        "jt",
        "企业微信群 极兔理赔-华东",
        fees(400, 700, 900, 1_100, before=100),
        user="api_account",
        secrets=("private_key", "password"),
        settings={"customer_code": "J0086000001"},
        shared=("customer_code",),
        sees=("kuaidi100",),
        options={"push": "subscribed"},
    ),
    Carrier(
        "kuaidi100",
        "企业微信群 快递100工单",
        fees(600, 900, 900, 1_300),
        user="key",
        secrets=("secret", "salt"),
        settings={"callback_url": "https://mall.example/push/kuaidi100"},
    ),
    Carrier(
        "ups",
        "企业微信群 UPS 理赔",
        fees(6_500, 9_800, 9_800, 12_000),
        user="client_id",
        secrets=("client_secret", "webhook_credential"),
        options={"push": "subscribed"},
    ),
    Carrier(
        "yunda",
        "企业微信群 韵达理赔-华东",
        fees(410, 710, 910, 1_110),
        user="app_key",
        secrets=("app_secret", "partner_secret"),
        settings={"inte_type": "1", "partner_id": "T200001"},
        shared=("partner_id",),
        sees=("kuaidi100",),
        options={"push": "subscribed"},
        provisional=True,
    ),
)
CARRIERS: Mapping[str, Carrier] = {row.name: row for row in TABLE}


def new_accounts(carriers: Iterable[str]) -> tuple[Account, ...]:
    """Synthetic credentials, new in every run."""
    return tuple(_account(CARRIERS[name]) for name in carriers)


def _account(row: Carrier) -> Account:
    user = row.called or secrets.token_hex(KEY_BYTES)
    known = {name: secrets.token_hex(KEY_BYTES) for name in row.secrets}
    return Account(
        row.name,
        f"{row.name}-main",
        user,
        {row.user: user, **known},
        known | {name: row.settings[name] for name in row.shared},
        secrets.token_urlsafe(24),
        row.settings,
    )
