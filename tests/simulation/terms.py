"""What the platform and the carriers have agreed on in a seed, and who may call."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from gateway.config import Role, Settings, token_hash

TENANT = "mall"
TOKENS = {"tenant": "mall-tenant", "treasury": "mall-treasury", "claims": "mall-claims"}
TOKENS |= {"operator": "mall-operator", "second": "mall-second"}
AGREEMENT = "auto-pay"
FEES = {
    "sf": {"picked_up": 800, "in_transit": 1000, "at_destination": 1200, "out_for_delivery": 1500},
    "zto": {"picked_up": 600, "in_transit": 900, "at_destination": 0, "out_for_delivery": 1400},
}
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
        return self.promise_on == "reply" or (not self.promise_on and self.channel == "sf")


def deals(chance: Random) -> dict[str, Deal]:
    """What is usual, mostly."""
    return {
        channel: Deal(
            channel,
            chance.choice(("", "", "", "reply", "payment")) if channel == "zto" else "",
            chance.random() < 0.2,
            chance.random() < 0.8,
            chance.random() < 0.2,
            chance.choice(("offline", "wallet")),
        )
        for channel in FEES
    }


def settings(store: Path, agreed: dict[str, Deal]) -> Settings:
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
            "carriers": {name: _carrier(deal) for name, deal in agreed.items()},
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


def _carrier(deal: Deal) -> dict[str, Any]:
    name = deal.channel
    contract = {
        "fees": FEES[name],
        "cap_minor": CAP_MINOR,
        "fee_on_cancel": "keep" if deal.keeps_on_cancel else "refund",
        "refund_on_return_failed": deal.refunds_failed,
        "unlisted_no": "hold" if deal.holds_unlisted else "release",
        "payout": deal.payout,
    }
    if deal.promise_on:
        contract["promise_on"] = deal.promise_on
    account = {
        "credentials": {NAMES[name]: USERS[name], **KEYS[name]},
        "settings": SETTINGS[name],
        "push_secret": SECRETS[name],
    }
    return {
        "base_url": f"http://carriers/{name}",
        "accounts": {"main": account},
        "contract": contract,
        "limits": {"timeout_ms": TIMEOUT_MS, "connect_timeout_ms": CONNECT_MS, "concurrency": 8},
    }
