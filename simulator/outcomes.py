"""What becomes of a request: a pure function of (seed, carrier, waybill, operation, attempt).

Nothing here is shared or counted, so that concurrency changes nothing. A script of the parcel goes
first, then the first matching rule of the scenario, then the seeded mix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto
from fnmatch import fnmatchcase
from hashlib import blake2b

MILLION = 1_000_000


class Outcome(StrEnum):
    RETURNED = auto()
    REFUSED = auto()
    REFUSED_UNLISTED = auto()
    ACCEPTED_BY_PUSH = auto()
    LOST = auto()
    DAMAGED = auto()
    DELIVERED_ANYWAY = auto()
    BUYER_REFUSED = auto()
    INTERCEPTED_BY_OTHER = auto()
    LOST_THEN_FOUND = auto()
    DAMAGED_AFTER_RETURN = auto()
    LATE_ACCEPT = auto()
    TURNED_THEN_DELIVERED = auto()
    LOST_THEN_DELIVERED = auto()
    LOST_THEN_TURNED = auto()  # on its way to the buyer; turned round after it was found


RETURNING_OUTCOMES = frozenset(
    {
        Outcome.RETURNED,
        Outcome.ACCEPTED_BY_PUSH,
        Outcome.LOST,
        Outcome.DAMAGED,
        Outcome.LOST_THEN_FOUND,
        Outcome.DAMAGED_AFTER_RETURN,
        Outcome.LATE_ACCEPT,
        Outcome.TURNED_THEN_DELIVERED,
        Outcome.LOST_THEN_DELIVERED,
        Outcome.LOST_THEN_TURNED,
    }
)


class FaultName(StrEnum):
    SLOW = auto()
    TIMEOUT_AFTER = auto()
    TIMEOUT_BEFORE = auto()
    RESET_AFTER = auto()
    RESET_BEFORE = auto()
    HTTP_500 = auto()
    HTML_502 = auto()
    HTTP_503 = auto()
    REDIRECT_307 = auto()
    TRUNCATED = auto()
    WRONG_WAYBILL = auto()
    BUSY_429 = auto()
    BUSY_CODE = auto()
    EXECUTES_TWICE = auto()
    PUSH_DUPLICATE = auto()
    PUSH_REORDER = auto()
    PUSH_DELAY = auto()
    PUSH_DROP = auto()
    PUSH_BAD_SIGNATURE = auto()
    PUSH_BEFORE_REPLY = auto()
    PUSH_AFTER_TERMINAL = auto()
    PUSH_REPLAY = auto()


class Reason(StrEnum):
    """Why a carrier says no; each dialect has its own code for it."""

    UNKNOWN_WAYBILL = auto()
    NOT_PICKED_UP = auto()
    TOO_LATE = auto()
    ALREADY_DELIVERED = auto()
    ALREADY_INTERCEPTED = auto()
    RETURN_LEG = auto()
    UNLISTED = auto()


class Operation(StrEnum):
    INTERCEPT = auto()
    CANCEL = auto()
    CANCEL_ORDER = auto()
    QUERY = auto()
    TRACK = auto()
    SUBSCRIBE = auto()
    CLAIM = auto()
    CLAIM_QUERY = auto()
    QUOTE = auto()
    TOKEN = auto()
    PUSH = auto()


ANY_OPERATION = "*"

PUSH_FAULTS = frozenset(
    {
        FaultName.PUSH_DUPLICATE,
        FaultName.PUSH_REORDER,
        FaultName.PUSH_DELAY,
        FaultName.PUSH_DROP,
        FaultName.PUSH_BAD_SIGNATURE,
        FaultName.PUSH_AFTER_TERMINAL,
        FaultName.PUSH_REPLAY,
    }
)

REPLACES_REPLY = frozenset(  # only one of these can happen to one answer
    {
        FaultName.TIMEOUT_AFTER,
        FaultName.TIMEOUT_BEFORE,
        FaultName.RESET_AFTER,
        FaultName.RESET_BEFORE,
        FaultName.HTTP_500,
        FaultName.HTML_502,
        FaultName.HTTP_503,
        FaultName.REDIRECT_307,
        FaultName.TRUNCATED,
        FaultName.WRONG_WAYBILL,
        FaultName.BUSY_429,
        FaultName.BUSY_CODE,
    }
)

NOTHING_TO_REPEAT = frozenset(
    {Outcome.REFUSED, Outcome.REFUSED_UNLISTED, Outcome.INTERCEPTED_BY_OTHER}
)

DEFAULT_MIX: Mapping[Outcome, int] = {
    Outcome.RETURNED: 680,
    Outcome.REFUSED: 100,
    Outcome.ACCEPTED_BY_PUSH: 80,
    Outcome.LOST: 25,
    Outcome.DAMAGED: 25,
    Outcome.DELIVERED_ANYWAY: 25,
    Outcome.BUYER_REFUSED: 20,
    Outcome.REFUSED_UNLISTED: 10,
    Outcome.INTERCEPTED_BY_OTHER: 10,
    Outcome.LOST_THEN_FOUND: 10,
    Outcome.DAMAGED_AFTER_RETURN: 10,
    Outcome.LATE_ACCEPT: 5,
}

ParamValue = int | str | bool

NUMBERS = frozenset(
    {
        "after_ms",
        "turn_ms",
        "return_ms",
        "lost_ms",
        "damaged_ms",
        "found_ms",
        "deliver_ms",
        "fee_minor",
        "claim_ms",
        "grant_minor",
    }
)
CHOICES: Mapping[str, frozenset[str]] = {
    "code": frozenset(Reason),
    "sync": frozenset(Reason),
    "when": frozenset({"reply", "later"}),
    "claim": frozenset({"grant", "partial", "reject"}),
    "return_sign": frozenset({"signed", "return_signed"}),
    "eligibility": frozenset({"unknown", "no"}),  # what a carrier says when asked beforehand
}
FAULT_NUMBERS = frozenset({"ms", "copies"})
FAULT_FLAGS = frozenset({"executed", "system"})


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of an outcome or a fault, read with the type that the reader expects."""

    values: Mapping[str, ParamValue] = field(default_factory=dict)

    def number(self, name: str, default: int) -> int:
        value = self.values.get(name, default)
        if type(value) is not int:
            raise ValueError(f"parameter {name} is a whole number")
        return value

    def text(self, name: str, default: str) -> str:
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise ValueError(f"parameter {name} is a text")
        return value

    def flag(self, name: str) -> bool:
        return self.values.get(name, False) is True

    def joined(self, values: Mapping[str, ParamValue]) -> "Params":
        return Params({**values, **self.values})


@dataclass(frozen=True, slots=True)
class Fault:
    name: FaultName
    operation: str = Operation.INTERCEPT
    times: int = 1  # 0: without end
    after: int = 0
    params: Params = field(default_factory=Params)

    def __post_init__(self) -> None:
        for name, value in self.params.values.items():
            kind = int if name in FAULT_NUMBERS else bool if name in FAULT_FLAGS else None
            if type(value) is not kind:
                raise ValueError(f"{self.name} has no such parameter: {name} = {value!r}")

    def strikes(self, operation: str, nth: int) -> bool:
        """Whether it concerns the nth (from 1) request of this operation."""
        if self.operation not in (operation, ANY_OPERATION):
            return False
        return nth > self.after and (self.times == 0 or nth <= self.after + self.times)


@dataclass(frozen=True, slots=True)
class Script:
    outcome: Outcome | None = None  # None: left to the mix
    params: Params = field(default_factory=Params)
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        problem = contradiction(self)
        if problem:
            raise ValueError(problem)


def contradiction(script: Script) -> str:
    """Why this combination cannot happen; empty when it can."""
    for name, value in script.params.values.items():
        if type(value) is not int if name in NUMBERS else value not in CHOICES.get(name, ()):
            return f"there is no such parameter: {name} = {value!r}"
    if not script.faults:
        return ""
    names = {fault.name for fault in script.faults}
    if script.outcome in NOTHING_TO_REPEAT and FaultName.EXECUTES_TWICE in names:
        return f"{script.outcome} executes nothing, so it cannot execute twice"
    if FaultName.PUSH_DROP in names and names & (PUSH_FAULTS - {FaultName.PUSH_DROP}):
        dropped = [f for f in script.faults if f.name is FaultName.PUSH_DROP and f.times == 0]
        if dropped:
            return "a push that is always dropped cannot have another fault"
    replaced: dict[str, list[Fault]] = {}
    for fault in script.faults:
        if fault.name not in REPLACES_REPLY:
            continue
        for other in replaced.setdefault(fault.operation, []):
            if _overlap(fault, other):
                return f"{fault.name} and {other.name} both replace the same answer"
        replaced[fault.operation].append(fault)
    return ""


def _overlap(one: Fault, two: Fault) -> bool:
    first, second = sorted((one, two), key=lambda fault: fault.after)
    return first.times == 0 or second.after < first.after + first.times


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule can look at."""

    carrier: str
    account: str
    waybill: str
    operation: str
    attempt: int
    status: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Every field given must match; names are globs."""

    carrier: str | None = None
    account: str | None = None
    waybill: str | None = None
    operation: str | None = None
    status: str | None = None
    attempt: int | None = None

    def matches(self, subject: Subject) -> bool:
        globs = (
            (self.carrier, subject.carrier),
            (self.account, subject.account),
            (self.waybill, subject.waybill),
            (self.operation, subject.operation),
            (self.status, subject.status),
        )
        if self.attempt is not None and self.attempt != subject.attempt:
            return False
        return all(glob is None or fnmatchcase(name, glob) for glob, name in globs)

    @property
    def empty(self) -> bool:
        return self == Pattern()


@dataclass(frozen=True, slots=True)
class Rule:
    match: Pattern
    unless: Pattern | None
    do: Script

    def applies(self, subject: Subject) -> bool:
        if self.unless is not None and self.unless.matches(subject):
            return False
        return self.match.matches(subject)


@dataclass(frozen=True, slots=True)
class Scenario:
    rules: tuple[Rule, ...] = ()
    mix: Mapping[Outcome, int] = field(default_factory=lambda: DEFAULT_MIX)
    faults: Mapping[FaultName, int] = field(default_factory=dict)  # in a million requests

    @property
    def looks_at_status(self) -> bool:
        patterns = [pattern for rule in self.rules for pattern in (rule.match, rule.unless)]
        return any(pattern is not None and pattern.status is not None for pattern in patterns)


def draw(seed: int, *parts: str | int) -> int:
    """A uniform 64-bit number that depends on nothing else."""
    text = "\x1f".join([str(seed), *map(str, parts)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def pick(weights: Mapping[Outcome, int], number: int) -> Outcome:
    point = number % sum(weights.values())
    for outcome, weight in weights.items():
        if point < weight:
            return outcome
        point -= weight
    raise AssertionError("the weights add up to their sum")


def choose(scenario: Scenario, seed: int, subject: Subject, script: Script | None) -> Script:
    """The outcome and the faults of this request. The result always names an outcome."""
    if script is None:
        script = next((rule.do for rule in scenario.rules if rule.applies(subject)), Script())
    outcome = script.outcome
    if outcome is None:
        number = draw(seed, subject.carrier, subject.waybill, "outcome", subject.attempt)
        outcome = pick(_possible(scenario.mix, script), number)
    faults = script.faults or _drawn_faults(scenario, seed, subject, outcome)
    return Script(outcome, script.params, faults)


def _possible(mix: Mapping[Outcome, int], script: Script) -> Mapping[Outcome, int]:
    if all(fault.name is not FaultName.EXECUTES_TWICE for fault in script.faults):
        return mix
    kept = {outcome: weight for outcome, weight in mix.items() if outcome not in NOTHING_TO_REPEAT}
    return kept if any(kept.values()) else {Outcome.RETURNED: 1}


def _drawn_faults(
    scenario: Scenario, seed: int, subject: Subject, outcome: Outcome
) -> tuple[Fault, ...]:
    found: list[Fault] = []
    for name, share in scenario.faults.items():
        if name is FaultName.EXECUTES_TWICE and outcome in NOTHING_TO_REPEAT:
            continue
        if name in REPLACES_REPLY and any(fault.name in REPLACES_REPLY for fault in found):
            continue
        if name in PUSH_FAULTS and any(_drops(name, fault.name) for fault in found):
            continue
        parts = (subject.carrier, subject.waybill, subject.operation, subject.attempt, name)
        if draw(seed, *parts) % MILLION < share:
            found.append(Fault(name, ANY_OPERATION, times=0))
    return tuple(found)


def _drops(one: FaultName, two: FaultName) -> bool:
    """Whether the one is a fault of a push that the other drops, or the other way round."""
    return two in PUSH_FAULTS and FaultName.PUSH_DROP in (one, two)


def striking(
    faults: Sequence[Fault], operation: str, nth: int, names: frozenset[FaultName] | None = None
) -> tuple[Fault, ...]:
    return tuple(
        fault
        for fault in faults
        if (names is None or fault.name in names) and fault.strikes(operation, nth)
    )
