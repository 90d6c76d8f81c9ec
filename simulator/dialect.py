"""What a dialect is: a carrier's wire protocol in front of the depot, as pairs of functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import orjson

from simulator.depot import Account, Claim, Depot, Record
from simulator.outcomes import Fault, Operation
from simulator.world import Event, Mark, ReturnNumber

NAME_MAX = 64  # characters of a waybill, an order or a reference


def plain(value: object) -> str:
    """A name that can be kept and shown; empty for anything else."""
    fits = isinstance(value, str) and len(value) <= NAME_MAX and value.isprintable()
    return str(value) if fits else ""


def said(status: int, body: bytes) -> Mapping[str, Any]:
    """What the answer to a push says in JSON; nothing, where it is no such answer."""
    try:
        answer = orjson.loads(body) if status == 200 else None
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


@dataclass(frozen=True, slots=True)
class Inbound:
    """One HTTP request as it arrived."""

    path: str  # below the carrier's prefix
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    method: str = "POST"
    query: str = ""  # as it was sent, without the question mark
    machine_ms: int = 0  # when it came: tokens and time stamps are judged by it


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, with the carrier's own code for the log."""

    body: bytes
    code: str
    content_type: str = "application/json;charset=UTF-8"
    status: int = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose signature held."""

    account: Account
    operation: Operation
    message: Mapping[str, Any]
    waybill: str
    reference: str
    record: Record | None
    twice: bool = False  # the carrier executes it twice
    astray: str = ""  # the waybill to answer about in its place


@dataclass(frozen=True, slots=True)
class Announcement:
    """One thing to tell an account: a mark of a parcel's course, or the decision on a claim."""

    id: str
    record: Record
    mark: Mark | None = None
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    kind: str
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # besides its type


Perform = Callable[[Asked, Depot, int], Answer]


def by_operation(table: Mapping[Operation, Perform]) -> Perform:
    """Carries out what was asked, by a table."""

    def perform(asked: Asked, depot: Depot, now_ms: int) -> Answer:
        return table[asked.operation](asked, depot, now_ms)

    return perform


Push = Callable[[Account, Sequence[Announcement]], Outgoing]
Forge = Callable[[Account, Outgoing], tuple[str, Outgoing]]


def _silent(*_: object) -> NoReturn:
    """Of a carrier that announces nothing: the pusher has nothing to call it for."""
    raise AssertionError("a carrier that announces nothing was asked to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    name: str
    network: str  # the company that carries; of an aggregator, its own name
    networks: Mapping[str, str] = field(default_factory=dict)  # an aggregator's code -> network
    methods: frozenset[str] = frozenset({"POST"})
    return_number: ReturnNumber
    number: Callable[[int], str]  # a waybill of this carrier out of a large number
    read: Callable[[Inbound, Depot], Asked | Answer]
    perform: Perform
    busy: Callable[[Fault], Answer]
    announces: frozenset[Event] = frozenset()
    announces_claims: bool = False
    push: Push = _silent
    forge: Forge = _silent  # address, message
    acknowledged: Callable[[int, bytes], bool] = _silent
    push_batch: int = 1  # announcements in one message
    push_attempts: int = 1
    push_interval_ms: int = 0

    def __post_init__(self) -> None:
        tells = bool(self.announces) or self.announces_claims
        written = [self.push, self.forge, self.acknowledged]
        if any((part is not _silent) is not tells for part in written):
            raise ValueError(f"{self.name}: who announces says how, and nobody else does")
