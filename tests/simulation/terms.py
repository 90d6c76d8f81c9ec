"""What the platform and the carriers have agreed on in a seed, and who may call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from adapters import ADAPTERS
from gateway.config import Role, Settings, token_hash
from gateway.domain.carrier import Milestone, Promise
from gateway.domain.carrier import Status as CarrierStatus
from simulator.bodies import OptionsBody
from simulator.dialect import Dialect
from simulator.dialects import DIALECTS
from simulator.outcomes import Outcome
from simulator.world import ReturnNumber
from tests.dialects.bench import bench
from tests.dialects.story import lived

TENANT = "mall"
TOKENS = {"tenant": "mall-tenant", "treasury": "mall-treasury", "claims": "mall-claims"}
TOKENS |= {"operator": "mall-operator", "second": "mall-second"}
AGREEMENT = "auto-pay"
CARRIERS = ("sf", "zto")  # who plays where nobody else is named: recorded seeds rest on it
FEES: dict[str, dict[str, int]] = {
    "sf": {"picked_up": 800, "in_transit": 1000, "at_destination": 1200, "out_for_delivery": 1500},
    "zto": {"picked_up": 600, "in_transit": 900, "at_destination": 0, "out_for_delivery": 1400},
}
ORDER_FEE = 300  # where the carrier has a verb of its own for it
USUAL_FEES = {"picked_up": 700, "in_transit": 950, "at_destination": 1300}
USUAL_FEES |= {"out_for_delivery": 1600}
CAP_MINOR = 30_000
FOUR_EYES_MINOR = 15_000
BOUND_MS = 32_000  # lease 20 s, and 4 s for the slowest request, and some
TIMEOUT_MS, CONNECT_MS = 4_000, 1_000
USERS = {"sf": "PARTNER", "zto": "APPKEY"}
SECRETS = {"sf": "Jm5tRk29vQxT7bWz8LcYp4", "zto": "q8Jx2mVb7TzR4kLw9NcYd1"}
KEYS = {"sf": {"checkword": "check-word"}, "zto": {"app_secret": "app-secret"}}
SETTINGS: dict[str, dict[str, str]] = {"sf": {"monthly_card": "7550000001"}, "zto": {}}
NAMES = {"sf": "partner_id", "zto": "app_key"}


@dataclass(frozen=True, slots=True)
class Party:
    """A carrier that plays: how the gateway and the carrier know each other there."""

    channel: str
    user: str  # what the carrier calls the account
    keys: Mapping[str, str]  # what the carrier knows of it
    credentials: Mapping[str, str]
    settings: Mapping[str, str]
    secret: str
    network: str  # who carries its parcels
    code: str = ""  # what an aggregator calls that company
    options: OptionsBody = field(default_factory=OptionsBody)
    renumbers: bool = True  # its words can say that the way back has a number of its own
    sees_outlet: bool = True  # it tells the last outlet from others
    tells_late: bool = True  # it pushes: nothing else tells that a no became a yes
    orders: bool = False  # the contract has a fee for an order that was not picked up

    @property
    def fees(self) -> Mapping[str, int]:
        fees = dict(FEES.get(self.channel, USUAL_FEES))
        return fees | {"not_picked_up": ORDER_FEE} if self.orders else fees

    @property
    def carrying(self) -> Dialect:
        """Whose numbers its parcels bear."""
        return DIALECTS.get(self.network if self.code else self.channel, DIALECTS[self.channel])


def party(channel: str) -> Party:
    if channel in CARRIERS:
        user, keys = USERS[channel], KEYS[channel]
        credentials = {NAMES[channel]: user, **keys}
        return Party(channel, user, keys, credentials, SETTINGS[channel], SECRETS[channel], channel)
    found = bench(channel)
    adapter, codes = found.adapter, found.adapter.networks.items()
    return Party(
        channel,
        found.account.name,
        found.account.credentials,
        {n: found.credentials[n] for n in adapter.credentials if found.credentials.get(n)},
        {n: found.settings[n] for n in adapter.settings if found.settings.get(n)},
        f"q8Jx2mVb7TzR4kLw9NcY{channel}",
        found.network,
        next((code for code, network in codes if network == found.network), ""),
        found.account.options,
        *_words(channel),
    )


def _words(channel: str) -> tuple[bool, bool, bool]:
    """What a carrier can say at all, seen of a parcel that is returned under a new number."""
    story = lived(partial(bench, channel), Outcome.RETURNED, ReturnNumber.NEW)
    plain = lived(partial(bench, channel), Outcome.DELIVERED_ANYWAY)
    outlet = any(scan.milestone is Milestone.AT_DESTINATION for scan in plain.scans())
    adapter, announced = story.bench.adapter, story.bench.dialect.announces
    return len(story.numbers) > 1, outlet, adapter.push is not None and bool(announced)


def parties(channels: Sequence[str], *, orders: bool = False) -> dict[str, Party]:
    """Everyone who plays; who tracks for another may look at the other's parcels."""
    found = {channel: party(channel) for channel in channels}
    for channel, one in found.items() if orders else ():
        adapter = ADAPTERS[channel]
        one_verb = CarrierStatus.NOT_PICKED_UP in adapter.window.value
        found[channel] = replace(one, orders=adapter.cancel_order is not None and not one_verb)
    for channel, one in found.items():
        if ADAPTERS[channel].track is not None:
            continue
        for name in filter(lambda name: _tracks(name, one.network), channels):
            tracker = found[name]
            ours = [*tracker.options.acts_for, f"{channel}/{one.user}"]
            options = tracker.options.model_copy(update={"acts_for": ours})
            found[name] = replace(tracker, options=options)
    return found


def _tracks(channel: str, network: str) -> bool:
    adapter = ADAPTERS[channel]
    return adapter.track is not None and adapter.network == network and not adapter.networks


@dataclass(frozen=True, slots=True)
class Deal:
    """The terms with one carrier that the judge must know."""

    channel: str
    promise_on: str  # "" as the carrier's adapter has it
    keeps_on_cancel: bool
    refunds_failed: bool
    holds_unlisted: bool
    payout: str

    @property
    def promises_at_once(self) -> bool:
        usual = ADAPTERS[self.channel].promise_on.value is Promise.REPLY
        return self.promise_on == "reply" or (not self.promise_on and usual)


def deals(chance: Random, channels: Sequence[str] = CARRIERS) -> dict[str, Deal]:
    """What is usual, mostly."""
    return {
        channel: Deal(
            channel,
            chance.choice(("", "", "", "reply", "payment")) if _waits(channel) else "",
            chance.random() < 0.2,
            chance.random() < 0.8,
            chance.random() < 0.2,
            chance.choice(("offline", "wallet")),
        )
        for channel in channels
    }


def _waits(channel: str) -> bool:
    """Whether what it answers is no promise yet: then a contract may say otherwise."""
    return ADAPTERS[channel].promise_on.value is Promise.EVIDENCE


def settings(store: Path, agreed: Mapping[str, Deal], playing: Mapping[str, Party]) -> Settings:
    roles = {name: [str(role)] for name, role in ROLES.items()}
    roles["second"] = [str(Role.TENANT), str(Role.CLAIMS)]
    tokens = [
        {"name": name, "sha256": token_hash(token), "roles": roles[name]}
        for name, token in TOKENS.items()
    ]
    tenant = {"tokens": tokens, "payment_agreements": [AGREEMENT], "per_second": 100_000}
    return Settings.model_validate(
        {
            "store": {"url": f"sqlite:///{store}"},
            "tenants": {TENANT: tenant},
            "carriers": {name: _carrier(deal, playing[name]) for name, deal in agreed.items()},
            "policy": {"four_eyes_above_minor": FOUR_EYES_MINOR},
            "test": {"plaintext": True, "in_flight_bound_ms": BOUND_MS},
        }
    )


ROLES = {
    "tenant": Role.TENANT,
    "treasury": Role.TREASURY,
    "claims": Role.CLAIMS,
    "operator": Role.OPERATOR,
}


def _carrier(deal: Deal, one: Party) -> dict[str, Any]:
    name = deal.channel
    contract = {
        "fees": dict(one.fees),
        "cap_minor": CAP_MINOR,
        "fee_on_cancel": "keep" if deal.keeps_on_cancel else "refund",
        "refund_on_return_failed": deal.refunds_failed,
        "unlisted_no": "hold" if deal.holds_unlisted else "release",
        "payout": deal.payout,
    }
    if deal.promise_on:
        contract["promise_on"] = deal.promise_on
    account = {
        "credentials": dict(one.credentials),
        "settings": dict(one.settings)
        | dict.fromkeys(ADAPTERS[name].sites, f"http://carriers/{name}"),
        "push_secret": one.secret,
    }
    provisional = {"provisional": True} if ADAPTERS[name].provisional else {}
    return provisional | {
        "base_url": f"http://carriers/{name}",
        "accounts": {"main": account},
        "contract": contract,
        "limits": {"timeout_ms": TIMEOUT_MS, "connect_timeout_ms": CONNECT_MS, "concurrency": 8},
    }
