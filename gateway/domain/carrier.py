"""The port every carrier adapter is written against: pure data in, pure data out.

An adapter is one frozen literal of tables and pairs of pure functions. `encode` turns a question
into one HTTP request, `decode` turns one HTTP reply into an Answer. What cannot be read is
UNKNOWN, never success; nothing here opens a socket, reads a clock or keeps a secret.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum, auto
from typing import Any, Generic, NoReturn, TypeVar

from msgspec import field

from gateway.domain.record import Hidden, Record

Credentials = Mapping[str, str]
DEPTH_MAX = 32  # no carrier's reply nests deeper than 8; 100 000 brackets overflow a parser
DIGITS_MAX = 40  # longer numbers are an attack on int(), not an amount or an id
SIGNS = '[]{},:"'
SIGNS_MAX = 64_000  # ten parcels of a hundred scans have 45 000; ten times as many cost 0.1 s
STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BRACKET = re.compile(r"[\[\]{}]")
SURROGATE = re.compile("[\ud800-\udfff]")


class Verdict(StrEnum):
    """What a carrier's answer says. UNKNOWN is the default for everything else."""

    RECEIVED = auto()  # the carrier has the request: a receipt, no promise
    ACCEPTED = auto()  # the parcel was stopped, or the carrier promises it
    REFUSED = auto()  # the carrier will never do it
    MISSED = auto()  # tried, and failed
    DUPLICATE = auto()  # it had this request, or one for this parcel, already
    ABSENT = auto()  # query: it knows no such request, yet
    BUSY = auto()  # the carrier did nothing; send again later
    CANCELLED = auto()  # cancel: done
    TOO_LATE = auto()  # cancel: the interception stands
    UNKNOWN = auto()  # anything else


class Reason(StrEnum):
    """Why a carrier said so, in one vocabulary for all carriers."""

    NONE = auto()
    UNKNOWN_WAYBILL = auto()
    NOT_PICKED_UP = auto()
    TOO_LATE = auto()  # out for delivery, or past the carrier's window
    DELIVERED = auto()
    ALREADY_INTERCEPTED = auto()
    ALREADY_CANCELLED = auto()
    NOT_ALLOWED = auto()  # this account, product or waybill may not be intercepted
    BAD_REQUEST = auto()
    BAD_CREDENTIALS = auto()
    RATE_LIMITED = auto()
    CARRIER_SYSTEM = auto()
    UNLISTED = auto()  # a clear no with a code the table does not have
    UNREADABLE = auto()
    WRONG_WAYBILL = auto()  # an answer about another parcel
    NOT_SENT = auto()  # no byte left: refused connection, DNS, TLS
    NO_ANSWER = auto()  # time-out, reset, cut-off body, 5xx


class Path(StrEnum):
    """How the parcel was stopped: a fact of the acceptance."""

    INTERCEPTED = auto()
    CANCELLED_BEFORE_PICKUP = auto()


class Action(StrEnum):
    RETURN = auto()
    REDIRECT = auto()


class Milestone(StrEnum):
    """What one tracking scan says has happened."""

    ORDERED = auto()
    PICKED_UP = auto()
    IN_TRANSIT = auto()
    AT_DESTINATION = auto()
    OUT_FOR_DELIVERY = auto()
    NOT_DELIVERED = auto()  # tried and not handed over, for no fault of the parcel
    ADDRESSEE_REFUSED = auto()
    SIGNED = auto()  # signed for; by whom, the fold over all scans decides
    RETURNING = auto()  # on its way back to the sender
    RETURN_SIGNED = auto()  # back: signed for on the return leg
    RETURN_REFUSED = auto()  # the sender would not take it
    CANCELLED = auto()  # never shipped
    LOST = auto()
    FOUND = auto()
    DAMAGED = auto()
    OTHER = auto()


class Cause(StrEnum):
    """Why a return began, as far as the scan itself says."""

    UNSTATED = auto()
    INTERCEPTION = auto()
    OTHER_INTERCEPTION = auto()  # somebody else's
    ADDRESSEE_REFUSED = auto()
    BAD_ADDRESS = auto()
    REDIRECT = auto()


class ClaimKind(StrEnum):
    LOST = auto()
    DAMAGED = auto()
    SHORTAGE = auto()
    RETURN_FAILED = auto()


class Grade(StrEnum):
    """How a fact about a carrier is known."""

    DOCUMENTED = auto()  # the carrier's own text, SDK or demo
    SEEN = auto()  # third-party client code
    ASSUMED = auto()  # inferred, or looked for and not found: configurable, shown as assumed


class Dedup(StrEnum):
    """What the carrier recognises a repeated interception request by."""

    NONE = auto()
    REFERENCE = auto()  # our request id
    WAYBILL = auto()  # one live interception per waybill


class Promise(StrEnum):
    """When a carrier's word becomes a promise."""

    REPLY = auto()  # its OK is the promise
    EVIDENCE = auto()  # its OK is a receipt; a query, push or tracking shows that it took
    PAYMENT = auto()  # as EVIDENCE, but the refund advice is safe at Create


class Status(StrEnum):
    """Logistics status of a parcel: the key of the fee table."""

    NOT_PICKED_UP = auto()
    PICKED_UP = auto()
    IN_TRANSIT = auto()
    AT_DESTINATION = auto()
    OUT_FOR_DELIVERY = auto()
    DELIVERED = auto()
    RETURNING = auto()
    ENDED = auto()
    UNKNOWN = auto()


class Tier(IntEnum):
    """How far a message may be trusted. Only T1 moves state."""

    T1 = 1  # reply to our own call, or a push whose secret signature covers the body
    T2 = 2  # signature keyed but not over the body, or assumed
    T3 = 3  # unsigned


T = TypeVar("T")
Q = TypeVar("Q")


class Fact(Record, Generic[T], frozen=True):
    value: T
    grade: Grade


class Contact(Record, frozen=True):
    """A person at an address. Personal data: never in `repr`, a log or an error."""

    name: Hidden[str]
    phone: Hidden[str]
    province: Hidden[str] = ""
    city: Hidden[str] = ""
    district: Hidden[str] = ""
    street: Hidden[str] = ""


class Order(Record, frozen=True):
    """The question of quote, intercept, query, cancel and cancel_order."""

    key: str  # the interception's own id: the carrier's idempotency reference where it has one
    waybill: str
    action: Action = Action.RETURN
    network: str = ""  # the company that carries the parcel; an aggregator has to be told
    reference: str = ""  # what the carrier called this interception, once it has answered
    order_no: str = ""  # the merchant's order, for carriers that cancel by order
    sender: Contact | None = None
    receiver: Contact | None = None
    settings: Mapping[str, str] = field(default_factory=dict)  # the account's, not secret


class Trace(Record, frozen=True):
    """The question of track and subscribe: where are these parcels?"""

    waybills: tuple[str, ...]
    network: str = ""
    phone_tail: Hidden[str] = ""  # last four digits, where the carrier asks
    settings: Mapping[str, str] = field(default_factory=dict)


class Case(Record, frozen=True):
    """The question of claim and claim_query."""

    key: str  # our claim's id
    waybill: str
    kind: ClaimKind
    amount_minor: int
    network: str = ""
    description: str = ""
    reference: str = ""  # the carrier's number of the claim, once filed
    sender: Contact | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


class Call(Record, frozen=True):
    """One HTTP request, as data. Its body and headers carry secrets and stay out of `repr`."""

    method: str
    path: Hidden[str]  # with its query, which may carry a token
    body: Hidden[bytes]
    headers: Hidden[Mapping[str, str]] = field(default_factory=dict)
    site: str = ""  # the setting that holds the address, where it is not the base URL


class Reply(Record, frozen=True):
    """One HTTP response, as data."""

    status: int
    body: Hidden[bytes]
    headers: Hidden[Mapping[str, str]] = field(default_factory=dict)

    def json(self) -> Any:
        return read_json(self.body)


class Stamp(Record, frozen=True):
    """What differs between two equal requests; given, never fetched."""

    unix_ms: int
    nonce: str


class Scan(Record, frozen=True):
    """One tracking event. `at_ms` is None where the carrier gave no usable time."""

    waybill: str
    milestone: Milestone
    code: str
    at_ms: int | None
    place: str = ""  # city or facility
    text: Hidden[str] = ""
    signer: Hidden[str] = ""  # the carrier's word, or a name
    return_waybill: str = ""
    cause: Cause = Cause.UNSTATED


class Answer(Record, frozen=True):
    """What a carrier's reply means. Fields beside the verdict are there when the reply has them."""

    verdict: Verdict
    reason: Reason = Reason.NONE
    code: str = ""  # the carrier's own, for the log
    reference: str = ""
    waybill: str = ""  # the waybill the reply speaks of; another than asked is discarded
    fee_minor: int | None = None
    currency: str = ""  # of the fee, where the reply names one; else the contract's
    path: Path | None = None
    return_waybill: str = ""
    scans: tuple[Scan, ...] = ()
    grant_minor: int | None = None  # claim_query: what the carrier grants
    assumed: bool = False
    asked_at: int = 0  # of a tracking answer, by the gateway: business time when it was asked for


class Push(Record, frozen=True):
    """One push as it arrived: header names in lower case, the body untouched."""

    headers: Hidden[Mapping[str, str]]
    body: Hidden[bytes]


class Delivery(Record, frozen=True):
    """What one push says. `account` is the carrier account the body names, if it names one."""

    event_key: str  # the carrier's own de-duplication key; two equal keys are one event
    waybills: tuple[str, ...]
    scans: tuple[Scan, ...] = ()
    account: str = ""
    network: str = ""  # the company that carries the parcels, where it is an aggregator that tells


class Pushes(Record, frozen=True):
    """How a carrier pushes: who may be believed, what is said, how it wants to be answered."""

    verify: Callable[[Push, Credentials], Tier | None]  # None: refuse
    decode: Callable[[Push], Delivery]  # ValueError: quarantine
    accept: Callable[[Push], Reply]  # the acknowledgement after the inbox has it
    reject: Callable[[Push, str], Reply]  # asks the carrier to send again, or not to bother
    grade: Grade = Grade.DOCUMENTED


class Operation(Record, Generic[Q], frozen=True):
    """One HTTP request and what its reply means."""

    encode: Callable[[Q], Call]
    decode: Callable[[Reply], Answer]
    repeatable: bool  # sending it twice has the effect of sending it once
    grade: Grade = Grade.DOCUMENTED
    batch: int = 1  # track: how many waybills one request may ask for


class Token(Record, frozen=True):
    """What a carrier lends us for a while instead of a signature."""

    text: Hidden[str]
    valid_ms: int  # from when it was asked for, in machine time


class Tokens(Record, frozen=True):
    """How a token is fetched. `sign` finds the one in force under `access_token` among the
    credentials, and signs the call that fetches one without it.
    """

    encode: Callable[[Credentials], Call]
    decode: Callable[[Reply], Token | Answer]  # Answer: refused, and why
    grade: Grade = Grade.DOCUMENTED


class Channel(Record, frozen=True):
    """Where people complain about a carrier: (kind, address), e.g. a hotline."""

    kind: str
    address: str


class Adapter(Record, frozen=True, kw_only=True):
    """A carrier. An operation that is None is one the carrier does not offer."""

    name: str  # the channel: what callers and the configuration call it
    network: str  # the company that carries the parcel; of an aggregator, its own name
    title: str
    docs: str
    hosts: tuple[str, ...]  # production hosts; test settings refuse to point there
    credentials: tuple[str, ...]  # secret fields the configuration must give
    optional_credentials: tuple[str, ...] = ()  # secret fields it may give
    settings: tuple[str, ...] = ()  # optional fields of the account that are not secret
    networks: Mapping[str, str] = field(default_factory=dict)  # an aggregator's code -> network
    sites: Mapping[str, str] = field(default_factory=dict)  # further addresses: setting -> usual
    provisional: bool = False  # refused by the gateway unless the configuration allows it
    probe: str = ""  # a waybill that nobody has, to try credentials with
    sign: Callable[[Call, Credentials, Stamp], Call]
    codes: Mapping[str, Answer]
    waybill: str  # regular expression of a waybill number of this carrier
    dedup: Fact[Dedup]
    promise_on: Fact[Promise]
    cancel_needs_reference: bool = False  # a cancel names the number that the reply brought
    tombstone: Fact[bool]  # a cancel makes a request that arrives later a dead letter
    in_flight_bound_ms: Fact[int]  # after it, a request that timed out can no longer land
    fee_basis: Fact[str]  # where the fee comes from: "reply" or "contract"
    reintercept: Fact[bool]  # a parcel may be intercepted again after a first interception
    window: Fact[frozenset[Status]]  # the statuses in which an interception may be asked
    zone: Fact[str]  # of the times it writes: an IANA name
    subscription_ms: Fact[int] | None = None  # how long one lasts, where it ends by itself
    intercept: Operation[Order]
    track: Operation[Trace] | None = None
    quote: Operation[Order] | None = None  # whether, and for what, the carrier would do it
    query: Operation[Order] | None = None
    cancel: Operation[Order] | None = None
    cancel_order: Operation[Order] | None = None
    subscribe: Operation[Trace] | None = None
    claim: Operation[Case] | None = None
    claim_query: Operation[Case] | None = None
    push: Pushes | None = None
    token: Tokens | None = None
    complaints: tuple[Channel, ...] = ()


UNREADABLE = Answer(Verdict.UNKNOWN, Reason.UNREADABLE)
BROKEN = (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, RecursionError)


def read(operation: Operation[Q], reply: Reply, waybills: tuple[str, ...] = ()) -> Answer:
    """Decode a reply; whatever the adapter cannot read is UNKNOWN, never success.

    A reply that speaks of a waybill other than those asked for is discarded as WRONG_WAYBILL.
    """
    answer = _decoded(operation.decode, reply)
    spoken_of = {answer.waybill, *(scan.waybill for scan in answer.scans)} - {""}
    if waybills and not spoken_of <= set(waybills):
        return Answer(Verdict.UNKNOWN, Reason.WRONG_WAYBILL, code=answer.code)
    return answer


def read_token(tokens: Tokens, reply: Reply) -> Token | Answer:
    """Decode the answer to a request for a token; one that cannot be read is no token."""
    return _decoded(tokens.decode, reply)


def _decoded(decode: Callable[[Reply], T], reply: Reply) -> T | Answer:
    if not 200 <= reply.status < 300 and not 400 <= reply.status < 500:
        return Answer(Verdict.UNKNOWN, Reason.NO_ANSWER, code=f"http {reply.status}")
    try:
        return decode(reply)
    except BROKEN:
        return UNREADABLE


def read_json(body: bytes | str) -> Any:
    """Strict JSON: no duplicate keys, no NaN, no lone surrogates, numbers as int or Decimal.

    Raises ValueError, whose text never quotes the input.
    """
    text = body.decode("utf-8") if isinstance(body, bytes) else body
    if sum(map(text.count, SIGNS)) > SIGNS_MAX:
        raise ValueError("too many values")
    if _depth(text) > DEPTH_MAX:
        raise ValueError("nested too deeply")
    value = STRICT.decode(text)
    if "\\ud" in text.lower() and any(map(SURROGATE.search, _strings(value))):
        raise ValueError("text with a lone surrogate")
    return value


def _depth(text: str) -> int:
    """How deep brackets nest; those inside strings do not count."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return 0
    deepest = level = 0
    for bracket in BRACKET.findall(STRING.sub("", text)):
        level += 1 if bracket in "[{" else -1
        deepest = max(deepest, level)
    return deepest


def _integer(digits: str) -> int:
    if len(digits) > DIGITS_MAX:
        raise ValueError("number too long")
    return int(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not numbers of a carrier")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field appears twice")
    return fields


STRICT = json.JSONDecoder(
    parse_float=Decimal, parse_int=_integer, parse_constant=_refuse, object_pairs_hook=_unique
)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
