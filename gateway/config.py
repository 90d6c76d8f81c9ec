"""The settings: one TOML file, overridden by `TURNBACK_…` variables of the environment.

Nothing else reads the environment. Unknown keys are refused, secrets have a `repr` of asterisks,
and every complaint names the field in plain words and never quotes a value.
"""

import hashlib
import importlib
import ipaddress
import os
import re
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from gateway.domain import fees as rules
from gateway.domain.carrier import Adapter, Channel, Promise, Status
from gateway.domain.money import EXPONENTS

PREFIX = "TURNBACK_"
OUTSIDE = frozenset({"TURNBACK_CONFIG"})  # where the file is: read by the command line
SECRET_MIN = 22  # of base64url: 132 bits
LEASE_MARGIN_MS = 15_000  # a call must end before its lease of 20 s does
TOKEN_BYTES = 32

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Ident = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
Positive = Annotated[int, Field(gt=0)]
Minor = Annotated[int, Field(ge=0, le=10**12)]


def loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class ConfigError(Exception):
    """The settings cannot be used. `problems` says what to mend, one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Role(StrEnum):
    """What a token may be used for, besides its tenant's own calls."""

    TENANT = auto()
    TREASURY = auto()
    CLAIMS = auto()
    OPERATOR = auto()


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class Grpc(Section):
    host: str = "127.0.0.1"
    """Address the gRPC server listens on."""
    port: Port = 50051
    """Its port; 0 takes any free one."""
    cert_file: Path | None = None
    """PEM file of the certificate chain."""
    key_file: Path | None = None
    """PEM file of its private key."""
    insecure: bool = False
    """Allow plaintext on an address other machines can reach."""
    reflection: bool = False
    """Let anybody read the protocol from the server."""

    @model_validator(mode="after")
    def _secured(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or neither")
        if self.cert_file is None and not self.insecure and not loopback(self.host):
            raise ValueError(
                "plaintext off loopback is refused: give cert_file and key_file, "
                "or set insecure = true"
            )
        return self


class Http(Section):
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 0
    """Port; 0 takes any free one."""


class StoreSettings(Section):
    url: str = "sqlite:///turnback.db"
    """Where the data is kept: `sqlite:///` and a path."""

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if not url.startswith("sqlite:///") or len(url) == len("sqlite:///"):
            raise ValueError("only sqlite:///<path> is offered")
        return url

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))


class Token(Section):
    name: Ident = "default"
    """Who holds it: the actor that events and the ledger show."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the token in lower-case hexadecimal; the token itself is kept nowhere."""
    roles: frozenset[Role] = frozenset()
    """Roles beside `tenant`: treasury, claims, operator. None by default."""


class Tenant(Section):
    tokens: tuple[Token, ...] = ()
    """Credentials of this tenant."""
    payment_agreements: frozenset[Ident] = frozenset()
    """Ids of password-free payment agreements that Create accepts."""
    per_second: Positive = 500
    """Calls a second."""


class Account(Section):
    credentials: Mapping[str, SecretStr] = Field(default_factory=dict)
    """What the carrier gave us to sign with; the names are the adapter's."""
    previous_credentials: Mapping[str, SecretStr] = Field(default_factory=dict)
    """The ones before, which pushes may still be signed with while they change."""
    settings: Mapping[str, str] = Field(default_factory=dict)
    """Fields of the account that are not secret; the names are the adapter's."""
    push_secret: SecretStr | None = None
    """Secret part of the address the carrier pushes to; at least 128 bits."""
    tenants: frozenset[Name] = frozenset()
    """Tenants that may use the account; empty: all of them."""

    @field_validator("push_secret")
    @classmethod
    def _long(cls, secret: SecretStr | None) -> SecretStr | None:
        text = secret.get_secret_value() if secret is not None else None
        if text is None:
            return secret
        if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
            raise ValueError("letters, digits, '-' and '_' only: it is part of an address")
        least = 32 if re.fullmatch(r"[0-9a-fA-F]+", text) else SECRET_MIN
        if len(text) < least or len(set(text)) < 8:
            raise ValueError("shorter than 128 bits of chance; `turnback config token` makes one")
        return secret


class Complaint(Section):
    kind: str
    """phone, hotline, group, email or web."""
    address: str
    """Number, group or address."""


class Contract(Section):
    currency: str = "CNY"
    """ISO 4217 code of fees and cap."""
    fees: Mapping[Status, Minor] = Field(default_factory=dict)
    """Fee in minor units by where the parcel is: picked_up, in_transit, at_destination …"""
    cap_minor: Minor = 100_000
    """Most that claims on one parcel bring, in minor units."""
    promise_on: Promise | None = None
    """When the carrier's word is a promise: reply, evidence or payment. Unset: the adapter's."""
    send_deadline_ms: Positive = 30 * rules.MINUTE_MS
    """After this a request that has not left does not leave any more."""
    evidence_by_ms: Positive = 72 * rules.HOUR_MS
    """Without evidence by then, a person looks into it."""
    claim_window_ms: Positive = 30 * rules.DAY_MS
    """How long after the event a claim may be filed."""
    stale_after_ms: Positive = 15 * rules.DAY_MS
    """An accepted parcel without a scan for so long is an exception."""
    fee_on_cancel: rules.OnCancel = rules.OnCancel.REFUND
    """The fee of an accepted interception that was withdrawn: refund or keep."""
    refund_on_return_failed: bool = True
    """Delivered although promised back: the fee is refunded beside the claim."""
    unlisted_no: rules.UnlistedNo = rules.UnlistedNo.RELEASE
    """A clear no with an unlisted code: release or hold."""
    payout: rules.Payout = rules.Payout.OFFLINE
    """How awards are paid: offline or wallet."""
    in_flight_bound_ms: Positive | None = None
    """After this a request that timed out can no longer arrive. Unset: the adapter's."""
    complaints: tuple[Complaint, ...] = ()
    """Where people complain, besides the adapter's public channels."""

    @field_validator("currency")
    @classmethod
    def _kept(cls, currency: str) -> str:
        if currency not in EXPONENTS:
            raise ValueError(f"not a currency we keep: {', '.join(sorted(EXPONENTS))}")
        return currency

    def terms(self, channel: str, bound_ms: int | None) -> rules.Contract:
        return rules.Contract(
            channel=channel,
            currency=self.currency,
            fees=dict(self.fees),
            cap_minor=self.cap_minor,
            promise_on=self.promise_on,
            send_deadline_ms=self.send_deadline_ms,
            evidence_by_ms=self.evidence_by_ms,
            claim_window_ms=self.claim_window_ms,
            stale_after_ms=self.stale_after_ms,
            fee_on_cancel=self.fee_on_cancel,
            refund_on_return_failed=self.refund_on_return_failed,
            unlisted_no=self.unlisted_no,
            payout=self.payout,
            in_flight_bound_ms=bound_ms or self.in_flight_bound_ms,
            complaints=tuple(Channel(c.kind, c.address) for c in self.complaints),
        )


class CarrierLimits(Section):
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Calls at one time, for each account."""
    per_second: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Calls a second, for each account."""
    timeout_ms: Annotated[int, Field(ge=100, le=LEASE_MARGIN_MS)] = 10_000
    """Whole time of one call."""
    connect_timeout_ms: Annotated[int, Field(ge=10, le=LEASE_MARGIN_MS)] = 3_000
    """Time to be connected."""


class Carrier(Section):
    adapter: str | None = None
    """Module path of an adapter that is not in this repository; it has an `ADAPTER`."""
    base_url: str
    """Where its interface is: https://host[:port][/path]."""
    accounts: Mapping[Ident, Account] = Field(default_factory=dict)
    """Our accounts with the carrier, by a name of our own."""
    contract: Contract = Contract()
    """The terms."""
    limits: CarrierLimits = CarrierLimits()
    """How much we ask of it."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an address such as https://host/path")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("no credentials, query or fragment in an address")
        return url.rstrip("/")

    @property
    def host(self) -> str:
        return (urlsplit(self.base_url).hostname or "").lower()


class PolicySettings(Section):
    quote_valid_ms: Positive = 10 * rules.MINUTE_MS
    """How long a quote keeps its price."""
    status_fresh_ms: Positive = 15 * rules.MINUTE_MS
    """How old a parcel's status may be to price from."""
    cross_border: rules.CrossBorder = rules.CrossBorder.REFUSE
    """Cross-border merchants: refuse, exempt_from_waybill or allow."""
    merged: rules.Merged = rules.Merged.REFUSE_IF_OTHER_ORDER_OPEN
    """Boxes of several orders: refuse_if_other_order_open or allow."""
    merchant_kind: Name = "pop_sop"
    """The type of merchant that is served."""
    agreements: Mapping[Ident, str] = Field(default_factory=dict)
    """Service agreements that must be signed: id to least version."""
    excluded_categories: frozenset[str] = rules.Policy().excluded_categories
    """Categories of goods that cannot be intercepted."""
    four_eyes_above_minor: Minor = 50_000
    """An award above it is decided by another person than the filer."""

    def terms(self) -> rules.Policy:
        return rules.Policy(
            quote_valid_ms=self.quote_valid_ms,
            status_fresh_ms=self.status_fresh_ms,
            cross_border=self.cross_border,
            merged=self.merged,
            merchant_kind=self.merchant_kind,
            agreements=dict(self.agreements),
            excluded_categories=self.excluded_categories,
            four_eyes_above_minor=self.four_eyes_above_minor,
        )


class Limits(Section):
    message_bytes: Annotated[int, Field(ge=1_024, le=4 * 2**20)] = 256 * 1_024
    """Largest request."""
    metadata_bytes: Annotated[int, Field(ge=1_024, le=64 * 1_024)] = 8 * 1_024
    """Largest metadata of a request."""
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """Calls at one time; above it they are shed."""
    connection_streams: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Calls at one time on one connection."""
    tenant_watches: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Open Watch streams of one tenant."""
    connection_idle_s: Positive = 300
    """A connection without calls is closed after this."""
    connection_age_s: Positive = 3_600
    """A connection is renewed after this."""
    connection_grace_s: Positive = 30
    """Calls under way then have this long."""
    watch_s: Positive = 1_800
    """A Watch ends after this; clients resume it."""
    intake_wait_ms: Positive = 300
    """A command that waits longer for the store is shed."""
    answer_within_ms: Positive = 800
    """Create answers what is true then, counted from the call's arrival."""
    quote_read_ms: Positive = 700
    """What Quote waits for the carrier's tracking."""
    drain_s: Positive = 25
    """Calls under way at shutdown have this long."""


class TestSettings(Section):
    """All that must never meet a real carrier, in one place."""

    clock_url: str | None = None
    """Where the simulator tells its time."""
    fail_point: str | None = None
    """Where the process is to die: a name of a fail point."""
    idle: bool = False
    """Answer OperationService.Idle."""
    plaintext: bool = False
    """Call carriers without TLS."""
    in_flight_bound_ms: Positive | None = None
    """Instead of every carrier's own."""


class Settings(BaseSettings):
    """Everything that can be set. Made by `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    grpc: Grpc = Grpc()
    """The public interface."""
    push: Http = Http(port=8080)
    """Where carriers push to."""
    metrics: Http = Http(port=9090)
    """/metrics, /healthz and /readyz."""
    store: StoreSettings = StoreSettings()
    """The database."""
    tenants: Mapping[Name, Tenant] = Field(default_factory=dict)
    """Who may call."""
    carriers: Mapping[Name, Carrier] = Field(default_factory=dict)
    """Whom we call: the key is the channel, an adapter's name."""
    policy: PolicySettings = PolicySettings()
    """The platform's own rules."""
    limits: Limits = Limits()
    """How much of everything."""
    test: TestSettings | None = None
    """Test settings; refused where any carrier address is a production host."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    def adapters(self, registry: Mapping[str, Adapter]) -> Mapping[str, Adapter]:
        """The registry and the out-of-tree adapters that the settings name."""
        found = dict(registry)
        problems = []
        for name, carrier in self.carriers.items():
            if carrier.adapter is None:
                continue
            try:
                adapter = getattr(importlib.import_module(carrier.adapter), "ADAPTER", None)
            except ImportError:
                adapter = None
            if isinstance(adapter, Adapter) and adapter.name == name:
                found[name] = adapter
            else:
                problems.append(f"carriers.{name}.adapter: no module with an ADAPTER called {name}")
        if problems:
            raise ConfigError(problems)
        return found

    def terms(self, adapters: Mapping[str, Adapter]) -> rules.Terms:
        """What decisions depend on. Raises ConfigError where settings and adapters disagree."""
        problems = tuple(self.problems(adapters))
        if problems:
            raise ConfigError(problems)
        bound = self.test.in_flight_bound_ms if self.test else None
        return rules.Terms(
            adapters=dict(adapters),
            contracts={n: c.contract.terms(n, bound) for n, c in self.carriers.items()},
            policy=self.policy.terms(),
            accounts={
                (name, account): dict(settings.settings)
                for name, carrier in self.carriers.items()
                for account, settings in carrier.accounts.items()
            },
            payment_agreements={
                n: frozenset(t.payment_agreements) for n, t in self.tenants.items()
            },
        )

    def problems(self, adapters: Mapping[str, Adapter]) -> Iterator[str]:
        """What only the adapters can tell: credentials, names, production hosts."""
        production = {host for adapter in adapters.values() for host in adapter.hosts}
        for name, carrier in self.carriers.items():
            where = f"carriers.{name}"
            adapter = adapters.get(name)
            if adapter is None:
                yield f"{where}: there is no adapter of this name"
                continue
            if self.test is not None and carrier.host in production:
                yield f"{where}.base_url: a production host, which the test settings refuse"
            yield from _account_problems(where, carrier, adapter, self.tenants)


def _account_problems(
    where: str, carrier: Carrier, adapter: Adapter, tenants: Mapping[str, Tenant]
) -> Iterator[str]:
    if not carrier.accounts:
        yield f"{where}.accounts: at least one is needed"
    for name, account in carrier.accounts.items():
        here = f"{where}.accounts.{name}"
        for wanted in adapter.credentials:
            given = account.credentials.get(wanted)
            if given is None or not given.get_secret_value():
                yield f"{here}.credentials.{wanted}: this carrier needs it"
        for extra in sorted(set(account.credentials) - set(adapter.credentials)):
            yield f"{here}.credentials.{extra}: this carrier has no such credential"
        for extra in sorted(set(account.settings) - set(adapter.settings)):
            yield f"{here}.settings.{extra}: this carrier has no such setting"
        for tenant in sorted(account.tenants - set(tenants)):
            yield f"{here}.tenants: there is no tenant {tenant}"


def load(path: Path | None) -> Settings:
    """Read and check the settings. Raises ConfigError that says all that is wrong."""
    given: dict[str, Any] = {}
    if path is not None:
        try:
            given = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"{path}: cannot be read ({type(error).__name__})"]) from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError([f"{path}: not TOML: {error}"]) from error
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigError(_plain(e) for e in error.errors(include_input=False)) from None
    except SettingsError as error:
        raise ConfigError([f"environment: {error}"]) from None
    problems = (*_strange_variables(), *_across(settings))
    if problems:
        raise ConfigError(problems)
    return settings


def _strange_variables() -> Iterator[str]:
    """pydantic-settings leaves out what it does not know; a misspelt key must not be silent."""
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in OUTSIDE:
            field = name[len(PREFIX) :].split("__")[0].lower()
            if field not in Settings.model_fields:
                yield f"environment {name}: there is no setting {field}"


def _across(settings: Settings) -> Iterator[str]:
    """What concerns several sections."""
    seen: dict[str, str] = {}
    for name, tenant in settings.tenants.items():
        for index, token in enumerate(tenant.tokens):
            where = f"tenants.{name}.tokens.{index}.sha256"
            if token.sha256 in seen:
                yield f"{where}: the same token as {seen[token.sha256]}"
            seen[token.sha256] = where
    pushes: dict[str, str] = {}
    plaintext = settings.test is not None and settings.test.plaintext
    for name, carrier in settings.carriers.items():
        if carrier.base_url.startswith("http://") and not plaintext:
            yield f"carriers.{name}.base_url: https is needed, or test.plaintext = true"
        for account, values in carrier.accounts.items():
            secret = values.push_secret.get_secret_value() if values.push_secret else ""
            where = f"carriers.{name}.accounts.{account}.push_secret"
            if secret and secret in pushes:
                yield f"{where}: the same as {pushes[secret]}"
            pushes[secret] = where
    for field in ("cert_file", "key_file"):
        file = getattr(settings.grpc, field)
        if file is not None and not os.access(file, os.R_OK):
            yield f"grpc.{field}: the file cannot be read"


PLAIN = {
    "missing": "needed, and not given",
    "extra_forbidden": "there is no such setting",
    "string_pattern_mismatch": "not in the form that is asked for",
}


def _plain(error: Any) -> str:
    """One complaint of pydantic in plain words; its input is never shown."""
    kind: str = error["type"]
    place = [str(part) for part in error["loc"] if part != "[key]"]
    said = PLAIN.get(kind) or str(error["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(place) or 'settings'}: {said}"


def token_hash(token: str) -> str:
    """What the settings keep of a token."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def new_token() -> tuple[str, str]:
    """A new token and its hash."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, token_hash(token)
