"""What the control API and a scenario file may say, with the limit of every field."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from simulator.latency import LATENCY_MS_MAX, Latency
from simulator.mistakes import Mistake, Order
from simulator.outcomes import (
    ANY_OPERATION,
    DEFAULT_MIX,
    PUSH_FAULTS,
    Fault,
    FaultName,
    Operation,
    Outcome,
    Params,
    ParamValue,
    Pattern,
    Rule,
    Scenario,
    Script,
)
from simulator.world import DEFAULT_JOURNEY, Contact, Journey, ReturnNumber, Status, Window

PARCELS_MAX = 5000
FAULTS_MAX = 20
MISTAKES_MAX = 1_000
RULES_MAX = 1000
SCENARIO_BYTES_MAX = 1 << 20
TIME_MS_MAX = 2**53  # about the year 287396; JSON readers agree up to here
SPAN_MS_MAX = 366 * 86_400_000
MONEY_MINOR_MAX = 10**12

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.\-]+$")]
Text = Annotated[str, StringConstraints(max_length=200)]
Millis = Annotated[int, Field(ge=0, le=TIME_MS_MAX)]
Span = Annotated[int, Field(ge=0, le=SPAN_MS_MAX)]
Amount = Annotated[int, Field(ge=0, le=MONEY_MINOR_MAX)]
AccountName = Annotated[
    str, StringConstraints(min_length=3, max_length=129, pattern=r"^[\w.\-]+/[\w.\-]+$")
]  # carrier/account
ParamName = Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z_]+$")]
ParamText = Annotated[str, StringConstraints(max_length=64)]
ParamInt = Annotated[int, Field(ge=0, le=TIME_MS_MAX)]
ParamMap = Annotated[dict[ParamName, bool | ParamInt | ParamText], Field(max_length=16)]


def _params(values: dict[str, bool | int | str]) -> Params:
    kept: dict[str, ParamValue] = dict(values)
    return Params(kept)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


class FaultBody(Body):
    name: FaultName
    operation: Operation | Literal["*"] | None = None
    times: int = Field(default=1, ge=0, le=1_000_000)
    after: int = Field(default=0, ge=0, le=1_000_000)
    params: ParamMap = {}

    def fault(self) -> Fault:
        default = Operation.PUSH if self.name in PUSH_FAULTS else Operation.INTERCEPT
        operation = str(self.operation or default)
        if self.name in PUSH_FAULTS and operation not in (Operation.PUSH, ANY_OPERATION):
            raise ValueError(f"{self.name} concerns pushes only")
        return Fault(self.name, operation, self.times, self.after, _params(self.params))


class ScriptBody(Body):
    outcome: Outcome | None = None
    params: ParamMap = {}
    faults: list[FaultBody] = Field(default=[], max_length=FAULTS_MAX)

    def script(self) -> Script:
        faults = tuple(fault.fault() for fault in self.faults)
        return Script(self.outcome, _params(self.params), faults)


class PatternBody(Body):
    carrier: Text | None = None
    account: Text | None = None
    waybill: Text | None = None
    operation: Text | None = None
    status: Status | None = None
    attempt: int | None = Field(default=None, ge=1)

    def pattern(self) -> Pattern:
        return Pattern(
            self.carrier, self.account, self.waybill, self.operation, self.status, self.attempt
        )


class RuleBody(Body):
    match: PatternBody
    unless: PatternBody | None = Field(default=None, alias="not")
    do: ScriptBody

    def rule(self) -> Rule:
        unless = self.unless.pattern() if self.unless else None
        if unless is not None and unless.empty:
            raise ValueError("an empty `not` would switch the rule off")
        return Rule(self.match.pattern(), unless, self.do.script())


class MixBody(Body):
    outcomes: dict[Outcome, Annotated[int, Field(ge=0, le=1_000_000)]] = {}
    faults: dict[FaultName, Annotated[int, Field(ge=0, le=1_000_000)]] = {}


class ScenarioBody(Body):
    rules: list[RuleBody] = Field(default=[], max_length=RULES_MAX)
    mix: MixBody = MixBody()

    def scenario(self) -> Scenario:
        mix = self.mix.outcomes or dict(DEFAULT_MIX)
        if not any(mix.values()):
            raise ValueError("a mix needs one outcome with a weight")
        rules = []
        for number, rule in enumerate(self.rules, 1):
            try:
                rules.append(rule.rule())
            except ValueError as error:
                raise ValueError(f"rule {number}: {error}") from error
        return Scenario(tuple(rules), mix, self.mix.faults)


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file; a ValueError says in one line what is wrong with it."""
    with path.open("rb") as file:
        raw = file.read(SCENARIO_BYTES_MAX + 1)
    if len(raw) > SCENARIO_BYTES_MAX:
        raise ValueError(f"{path} is larger than {SCENARIO_BYTES_MAX} bytes")
    try:
        parsed = tomllib.loads(raw.decode()) if path.suffix == ".toml" else orjson.loads(raw)
        return ScenarioBody.model_validate(parsed).scenario()
    except ValidationError as error:
        raise ValueError(f"{path}: {first_problem(error)}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}"


class ContactBody(Body):
    name: Text = ""
    phone: Text = ""
    province: Text = ""
    city: Text = ""
    district: Text = ""
    street: Text = ""

    def contact(self) -> Contact:
        return Contact(self.name, self.phone, self.province, self.city, self.district, self.street)


class JourneyBody(Body):
    picked_up: Span = DEFAULT_JOURNEY.picked_up
    in_transit: Span = DEFAULT_JOURNEY.in_transit
    at_destination: Span = DEFAULT_JOURNEY.at_destination
    out_for_delivery: Span = DEFAULT_JOURNEY.out_for_delivery
    delivered: Span = DEFAULT_JOURNEY.delivered

    def journey(self) -> Journey:
        return Journey(
            self.picked_up,
            self.in_transit,
            self.at_destination,
            self.out_for_delivery,
            self.delivered,
        )


class ParcelBody(Body):
    carrier: Name
    account: Name
    waybill: Name
    network: Name | None = None  # of an aggregator's parcel: the company that carries it
    order_id: Annotated[str, StringConstraints(max_length=64)] = ""
    shipped_ms: Millis | None = None
    status: Status | None = None
    sender: ContactBody = ContactBody()
    receiver: ContactBody = ContactBody()
    value_minor: Amount = 0
    return_number: ReturnNumber | None = None
    journey: JourneyBody | None = None
    script: ScriptBody | None = None


class ParcelsBody(Body):
    parcels: list[ParcelBody] = Field(max_length=PARCELS_MAX)


class ScriptSetting(Body):
    carrier: Name
    account: Name
    waybill: Name
    network: Name | None = None
    script: ScriptBody


class ScriptsBody(Body):
    scripts: list[ScriptSetting] = Field(max_length=PARCELS_MAX)


class LatencyBody(Body):
    """Of every answer, in ms of machine time; see `simulator.latency`."""

    median_ms: int = Field(ge=1, le=LATENCY_MS_MAX)
    p99_ms: int = Field(ge=1, le=LATENCY_MS_MAX)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        self.latency()
        return self

    def latency(self) -> Latency:
        return Latency(self.median_ms, self.p99_ms)


class OptionsBody(Body):
    push: Literal["all", "subscribed", "none"] = "all"
    fee_minor: Amount = 1200
    rate_per_second: int = Field(default=0, ge=0, le=1_000_000)  # 0: no limit
    window: Window = Window.UNTIL_DELIVERED
    push_format: Literal["json", "xml", "form"] = "json"
    reply_format: Literal["json", "xml"] = "json"
    digest: Literal["md5", "sha256", "hmac_md5", "hmac_sha1", "hmac_sha256", "hmac_sha512"] = "md5"
    digest_encoding: Literal["base64", "hex"] = "base64"
    digest_timestamp: bool = False
    acts_for: list[AccountName] = Field(default=[], max_length=20)  # whose parcels it reaches too
    latency: LatencyBody | None = None  # None: it answers at once


class AccountBody(Body):
    carrier: Name
    account: Name
    credentials: dict[Name, Annotated[str, StringConstraints(max_length=256)]] = Field(
        default={}, max_length=8, repr=False
    )
    push_url: Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://")] | None = (
        None
    )
    options: OptionsBody = OptionsBody()


class ClockBody(Body):
    set_ms: Millis | None = None
    advance_ms: Annotated[int, Field(ge=0, le=TIME_MS_MAX)] | None = None
    scale: float | None = None
    frozen: bool | None = None


class CarrierFaultBody(Body):
    carrier: Name
    account: Name | None = None
    name: FaultName
    operation: Operation | Literal["*"] = "*"
    times: int = Field(default=0, ge=0, le=1_000_000)
    after: int = Field(default=0, ge=0, le=1_000_000)
    params: ParamMap = {}

    def fault(self) -> Fault:
        if self.name in PUSH_FAULTS:
            return Fault(self.name, Operation.PUSH, self.times, self.after, _params(self.params))
        return Fault(self.name, self.operation, self.times, self.after, _params(self.params))


class StatementBody(Body):
    """What is to be billed; see simulator/statements.py."""

    carrier: str
    account: str
    from_ms: Annotated[int, Field(ge=0, le=TIME_MS_MAX)]
    to_ms: Annotated[int, Field(ge=1, le=TIME_MS_MAX)]
    fee_minor: Annotated[int, Field(ge=1, le=10**9)]
    currency: Literal["CNY", "USD", "EUR", "HKD", "GBP"] = "CNY"
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    mistakes: Annotated[list[Mistake], Field(max_length=MISTAKES_MAX)] = []

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ms >= self.to_ms:
            raise ValueError("to_ms comes after from_ms")
        return self

    def order(self, seed: int) -> Order:
        return Order(
            carrier=self.carrier,
            account=self.account,
            from_ms=self.from_ms,
            to_ms=self.to_ms,
            fee_minor=self.fee_minor,
            currency=self.currency,
            seed=seed if self.seed is None else self.seed,
            mistakes=tuple(self.mistakes),
        )


class ResetBody(Body):
    accounts: bool = False
