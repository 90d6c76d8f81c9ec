"""The settings: one TOML file, overridden by `TURNBACK_…` variables of the environment.

Nothing else reads the environment. Unknown keys are refused, secrets have a `repr` of asterisks,
and every complaint names the field in plain words and never quotes a value.
"""

import hashlib
import importlib
import ipaddress
import os
import secrets
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum, auto
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
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

from gateway.contracts import (
    Account,
    Carrier,
    Ident,
    Name,
    PolicySettings,
    Positive,
    Section,
    address_fault,
    host_of,
)
from gateway.domain import fees as rules
from gateway.domain.carrier import Adapter

PREFIX = "TURNBACK_"
OUTSIDE = frozenset({"TURNBACK_CONFIG"})  # where the file is: read by the command line
TOKEN_BYTES = 32


def _file(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("not a path")
    return path


NAME_SHOWN = 64  # characters of a name that somebody gave

Port = Annotated[int, Field(ge=0, le=65_535)]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_%\[\]-]+$", max_length=253)]
Seconds = Annotated[int, Field(gt=0, le=10**6)]  # in ms it must fit the 32 bits of the gRPC library
Point = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_:]+(#[1-9][0-9]{0,8})?(!stop)?$")]
File = Annotated[Path, AfterValidator(_file)]


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


class Grpc(Section):
    host: Host = "127.0.0.1"
    """Address the gRPC server listens on."""
    port: Port = 50051
    """Its port; 0 takes any free one."""
    cert_file: File | None = None
    """PEM file of the certificate chain."""
    key_file: File | None = None
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
    host: Host = "127.0.0.1"
    """Address to listen on."""
    port: Port = 0
    """Port; 0 takes any free one."""


class StoreSettings(Section):
    url: SecretStr = SecretStr("sqlite:///turnback.db")
    """Where the data is kept: `sqlite:///` and a path, or a `postgresql://` URL, which may name
    several servers. It may hold a password: it is shown nowhere."""
    silent_s: Annotated[float, Field(ge=1, le=300)] = 20
    """A database that does not answer for so long is given up: this replica is not ready then,
    and asks anew."""
    check_mib: Annotated[int, Field(ge=0, le=2**20)] = 512
    """A SQLite file of up to so many MiB is looked through for damage before it is served; a
    larger one beside the work, and once damage is found nothing of it is served any more."""

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr) -> SecretStr:
        scheme, _, rest = url.get_secret_value().partition("://")
        if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/"):
            _file(Path(rest[1:]))
            return url
        if scheme in ("postgresql", "postgres") and rest:
            return url
        raise ValueError("only sqlite:///<path> and postgresql://… are offered")

    @property
    def name(self) -> str:
        """What may be said of it: everything but the user and the password."""
        scheme, _, rest = self.url.get_secret_value().partition("://")
        return f"{scheme}://{rest.rsplit('@', 1)[-1].split('?', 1)[0]}"


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
    connection_idle_s: Seconds = 300
    """A connection without calls is closed after this."""
    connection_age_s: Seconds = 3_600
    """A connection is renewed after this."""
    connection_grace_s: Seconds = 30
    """Calls under way then have this long."""
    heartbeat_s: Annotated[int, Field(ge=1, le=15)] = 10
    """A Watch without events says at least so often that it lives."""
    watch_s: Seconds = 1_800
    """A Watch ends after this; clients resume it."""
    late_ms: Positive = 250
    """How late a call of our own, or a commit, may be; later, what begins something is shed."""
    intake_wait_ms: Positive = 300
    """A command that waits longer for the store is shed."""
    answer_within_ms: Positive = 800
    """Create answers what is true then, counted from the call's arrival."""
    quote_read_ms: Positive = 700
    """What Quote waits for the carrier's tracking."""
    lame_duck_ms: Annotated[int, Field(ge=0, le=60_000)] = 1_000
    """At shutdown calls are still taken for so long after readiness and health have said no."""
    drain_s: Seconds = 25
    """From the signal on, calls under way at shutdown have this long; the above is part of it."""

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.lame_duck_ms >= self.drain_s * 1000:
            raise ValueError("lame_duck_ms leaves no time to drain: it is part of drain_s")
        return self


class TestSettings(Section):
    """All that must never meet a real carrier, in one place."""

    clock_url: str | None = None
    """Where the simulator tells its time."""
    fail_point: Point | None = None
    """Where the process is to die: a name of a fail point."""
    idle: bool = False
    """Answer OperationService.Idle."""
    plaintext: bool = False
    """Call carriers without TLS."""
    in_flight_bound_ms: Positive | None = None
    """Instead of every carrier's own."""
    lease_ms: Positive | None = None
    """How long a job is held, so that what a killed replica leaves is soon taken up."""


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
                found[name] = imported(carrier.adapter, name)
            except ValueError as error:
                problems.append(f"carriers.{name}.adapter: {error}")
        if problems:
            raise ConfigError(problems)
        return found

    def terms(self, adapters: Mapping[str, Adapter]) -> rules.Terms:
        """What decisions depend on. Raises ConfigError where settings and adapters disagree."""
        problems = tuple(self.problems(adapters))
        if problems:
            raise ConfigError(problems)
        bound = self.test.in_flight_bound_ms if self.test else None
        lease_ms = (self.test and self.test.lease_ms) or rules.LEASE_MS
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
            subscribes=frozenset(
                name
                for name, carrier in self.carriers.items()
                if carrier.subscribe and adapters[name].subscribe is not None
            ),
            lease_ms=lease_ms,
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
            if adapter.provisional and not carrier.provisional:
                yield f"{where}.provisional: what this carrier does is assumed; true allows it"
            yield from self._site_problems(where, carrier, adapter, production)
            yield from _account_problems(where, carrier, adapter, self.tenants)

    def _site_problems(
        self, where: str, carrier: Carrier, adapter: Adapter, production: set[str]
    ) -> Iterator[str]:
        plaintext = self.test is not None and self.test.plaintext
        for name, account in carrier.accounts.items():
            for site, url in sites(adapter, account).items():
                here = f"{where}.accounts.{name}.settings.{site}"
                if self.test is not None and host_of(url) in production:
                    yield f"{here}: a production host, which the test settings refuse"
                if url.startswith("http://") and not plaintext:
                    yield f"{here}: https is needed, or test.plaintext = true"


def imported(module: str, name: str) -> Adapter:
    """The ADAPTER of a module that is somebody else's. Raises ValueError that says what to mend."""
    try:
        adapter = getattr(importlib.import_module(module), "ADAPTER", None)
    except Exception as error:  # whatever its author did
        raise ValueError(f"the module cannot be imported ({type(error).__name__})") from error
    if not isinstance(adapter, Adapter):
        raise ValueError("the module has no ADAPTER that is an Adapter")
    if adapter.name != name:
        raise ValueError(f"the ADAPTER of the module is not called {name}")
    return adapter


def sites(adapter: Adapter, account: Account) -> dict[str, str]:
    """The further addresses of an account: the carrier's usual ones, or others."""
    return {name: account.settings.get(name, usual) for name, usual in adapter.sites.items()}


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
        known = {*adapter.credentials, *adapter.optional_credentials}
        for extra in sorted(set(account.credentials) - known):
            yield f"{here}.credentials.{_named(extra)}: this carrier has no such credential"
        for extra in sorted(set(account.settings) - set(adapter.settings) - set(adapter.sites)):
            yield f"{here}.settings.{_named(extra)}: this carrier has no such setting"
        for site, url in sites(adapter, account).items():
            if fault := address_fault(url):
                yield f"{here}.settings.{site}: {fault}"
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
        except (ValueError, RecursionError):  # what the parser does not foresee
            raise ConfigError(
                [f"{path}: not TOML: a number too long, or nested too deeply"]
            ) from None
    strange = tuple(f"{_named(n)}: there is no such setting" for n in given if n not in FIELDS)
    try:
        settings = Settings(**{name: table for name, table in given.items() if name in FIELDS})
    except ValidationError as error:
        said = (_plain(e) for e in error.errors(include_input=False))
        raise ConfigError((*strange, *said)) from None
    except (SettingsError, RecursionError):
        raise ConfigError((*strange, "environment: a TURNBACK_ table that is not JSON")) from None
    problems = (*strange, *_strange_variables(), *_across(settings))
    if problems:
        raise ConfigError(problems)
    return settings


FIELDS = frozenset(Settings.model_fields)  # other names would be switches of its base class


def _named(name: object) -> str:
    """A name that somebody gave, fit to be read in a line."""
    text = str(name)
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= NAME_SHOWN else f"{shown[:NAME_SHOWN]}…"


def _strange_variables() -> Iterator[str]:
    """pydantic-settings leaves out what it does not know; a misspelt key must not be silent."""
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in OUTSIDE:
            field = name[len(PREFIX) :].split("__")[0].lower()
            if field not in FIELDS:
                yield f"environment {_named(name)}: there is no setting {_named(field)}"


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
    lease_ms = settings.test.lease_ms if settings.test is not None else None
    for name, carrier in settings.carriers.items():
        if lease_ms is not None and carrier.limits.timeout_ms * 4 > lease_ms * 3:
            yield f"test.lease_ms: too short for carriers.{name}.limits.timeout_ms"
        if carrier.base_url.startswith("http://") and not plaintext:
            yield f"carriers.{name}.base_url: https is needed, or test.plaintext = true"
        for account, values in carrier.accounts.items():
            secret = values.push_secret.get_secret_value() if values.push_secret else ""
            where = f"carriers.{name}.accounts.{account}.push_secret"
            if secret and secret in pushes:
                yield f"{where}: the same as {pushes[secret]}"
            pushes[secret] = where
        window_ms = carrier.contract.claim_window_ms
        if window_ms > settings.policy.retention_days * rules.DAY_MS:
            yield (
                f"carriers.{name}.contract.claim_window_ms: longer than policy.retention_days: "
                "a claim needs what would be erased"
            )
    ports: dict[int, str] = {}
    for section in ("grpc", "push", "metrics"):
        port = getattr(settings, section).port
        if port and port in ports:
            yield f"{section}.port: the same as {ports[port]}.port"
        ports.setdefault(port, section)
    for field in ("cert_file", "key_file"):
        file = getattr(settings.grpc, field)
        if file is not None and not os.access(file, os.R_OK):
            yield f"grpc.{field}: the file cannot be read"


PLAIN = {
    "missing": "needed, and not given",
    "extra_forbidden": "there is no such setting",
    "string_pattern_mismatch": "not in the form that is asked for",
    "path_type": "not a path",
}


def _plain(error: Any) -> str:
    """One complaint of pydantic in plain words; its input is never shown."""
    kind: str = error["type"]
    place = [_named(part) for part in error["loc"] if part != "[key]"]
    said = PLAIN.get(kind) or str(error["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(place) or 'settings'}: {said}"


def token_hash(token: str) -> str:
    """What the settings keep of a token."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def new_token() -> tuple[str, str]:
    """A new token and its hash."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return token, token_hash(token)
