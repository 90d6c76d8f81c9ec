"""What every field of a request may hold: tables, checked before anything reads the message.

A field that no table names is checked by its type alone: text of at most 64 printable characters,
known enum values, amounts above zero, times that a calendar has.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.type.money_pb2 import Money as WireMoney

from gateway.domain.money import Money
from gateway.domain.statement import LINES_MAX, PARTS_MAX
from gateway.rpc.errors import invalid

AMOUNT_MAX = 10**12  # minor units
PAGE_MAX = 200
TEXT_MAX = 64
ENTRIES_MAX = 1_200  # the fullest parcel has 1 020; each is some 20 µs of checks
FAULTS_MAX = 100  # more are not told anyway
SECONDS_MAX = 253_402_300_799  # the last second of the year 9999
HIDDEN = re.compile(  # control characters, bidirectional controls, line separators, no characters
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
Fault = tuple[str, str]
Check = Callable[[Any, str], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class Text:
    """A string: its length in characters, its form, and whether it must be there."""

    most: int = TEXT_MAX
    least: int = 0
    form: str = ""
    said: str = ""

    def check(self, value: str, path: str) -> Iterator[Fault]:
        if not value:
            if self.least:
                yield path, "needed"
            return
        if not self.least <= len(value) <= self.most:
            yield path, f"{max(1, self.least)} to {self.most} characters"
        elif not value.isprintable() and HIDDEN.search(value):
            yield path, "control characters are not text"
        elif self.form and not re.fullmatch(self.form, value):
            yield path, self.said


@dataclass(frozen=True, slots=True)
class Whole:
    least: int
    most: int

    def check(self, value: int, path: str) -> Iterator[Fault]:
        if not self.least <= value <= self.most:
            yield path, f"{self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Many:
    """How many entries a repeated field may have."""

    most: int
    least: int = 0


@dataclass(frozen=True, slots=True)
class Needed:
    """A message, an enum or a choice that must be given."""


# `/` parts the ids inside, so no name of the caller's that becomes a part of one may hold it.
NAME = "letters, digits and signs other than '/' and ':'"
ID = Text(form=r"[!-~]+", said="visible ASCII characters")
ID_NEEDED = Text(least=1, form=r"[!-~]+", said="visible ASCII characters")
OWN = Text(least=1, form=r"[!-.0-9;-~]+", said=NAME)
OWN_OR_NONE = Text(form=r"[!-.0-9;-~]+", said=NAME)
CARRIER = Text(32, 1, r"[a-z0-9_-]+", "a channel, as CarrierService lists it")
CARRIER_OR_NONE = Text(32, 0, r"[a-z0-9_-]+", "a channel, as CarrierService lists it")
WAYBILL = Text(40, 4, r"[A-Za-z0-9-]+", "letters, digits and '-'")
WAYBILL_OR_NONE = Text(40, 0, r"[A-Za-z0-9-]+", "letters, digits and '-'")
REQUEST_ID = Text(64, 8, r"[!-~]+", "8 to 64 visible ASCII characters")
PAGE_TOKEN = Text(512, 0, r"[A-Za-z0-9_=-]+", "not a token of this query")
LONG = Text(2_000)
SHORT = Text(200)

BY_NAME: Mapping[str, Any] = {
    "request_id": REQUEST_ID,
    "merchant_id": OWN,
    "carrier": CARRIER,
    "waybill": WAYBILL,
    "channel_code": Text(32, 0, r"[A-Za-z0-9_-]+", "a code"),
    "page_size": Whole(0, PAGE_MAX),
    "page_token": PAGE_TOKEN,
    "cursor": PAGE_TOKEN,
    "account": OWN_OR_NONE,
    "quote_id": ID_NEEDED,
    "interception_id": ID,
    "claim_id": ID,
    "award_id": ID,
    "parcel_id": ID,
    "agreement_id": OWN_OR_NONE,
    "reason": SHORT,
    "note": LONG,
    "description": LONG,
    "street": SHORT,
    "title": SHORT,
    "line_no": Text(32, 1, r"[^/]+", "anything but '/'"),
    "order_no": Text(64, 1),
    "category": Text(64),
    "phone": Text(24, 0, r"[0-9+*\- ]+", "digits, '+', '-', '*' and spaces"),
    "sha256": Text(64, 0, r"[0-9a-f]{64}", "64 lower-case hexadecimal digits"),
    "uri": Text(512, 0, r"https://[!-~]+", "an https address"),
    "external_reference": Text(64, 1),
    "password": Text(64),
    "payment_token": Text(512),
    "current_password": Text(64),
    "new_password": Text(64),
    "quantity": Whole(1, 1_000_000),
    "parcel_count": Whole(0, 10_000),
    "row_limit": Whole(0, 100),
    "evidence": Many(20),
}
PER_MESSAGE: Mapping[tuple[str, str], Any] = {
    ("ParcelServiceRegisterRequest", "request_id"): Text(64, 0, r"[!-~]+", "visible ASCII"),
    ("ParcelServiceRegisterRequest", "parcel"): Needed(),
    ("ParcelServiceBatchRegisterRequest", "items"): Many(100, 1),
    ("ParcelServiceGetRequest", "key"): Needed(),
    ("ParcelRegistration", "merchant_id"): OWN_OR_NONE,
    ("ParcelRegistration", "orders"): Many(20, 1),
    ("Order", "lines"): Many(50, 1),
    ("Proof", "kind"): Text(32, 1, r"[a-z_]+", "a word such as photo"),
    ("Proof", "text"): LONG,
    ("Proof", "content"): Needed(),
    ("Contact", "name"): Text(64),
    ("InterceptServiceQuoteRequest", "target"): Needed(),
    ("InterceptServiceQuoteRequest", "actions"): Many(2),
    ("InterceptServiceCancelRequest", "interception_id"): ID_NEEDED,
    ("InterceptServiceGetRequest", "key"): Needed(),
    ("InterceptServiceGetRequest", "request_id"): Text(64, 0, r"[!-~]+", "visible ASCII"),
    ("InterceptServiceListRequest", "merchant_id"): OWN_OR_NONE,
    ("InterceptServiceListRequest", "carrier"): CARRIER_OR_NONE,
    ("InterceptServiceListRequest", "waybill"): WAYBILL_OR_NONE,
    ("InterceptServiceListRequest", "order_no"): Text(64),
    ("InterceptServiceListRequest", "states"): Many(16),
    ("InterceptServiceListRequest", "decisions"): Many(16),
    ("InterceptServiceListRequest", "money_states"): Many(16),
    ("InterceptServiceListEventsRequest", "interception_id"): ID_NEEDED,
    ("InterceptServiceWatchRequest", "merchant_id"): OWN_OR_NONE,
    ("InterceptServiceBatchQuoteRequest", "items"): Many(50, 1),
    ("InterceptServiceBatchCreateRequest", "items"): Many(50, 1),
    ("ClaimServiceFileRequest", "interception_id"): ID_NEEDED,
    ("ClaimServiceFileRequest", "kind"): Needed(),
    ("ClaimServiceFileRequest", "loss"): Needed(),
    ("ClaimServiceGetRequest", "claim_id"): ID_NEEDED,
    ("ClaimServiceListRequest", "merchant_id"): OWN_OR_NONE,
    ("ClaimServiceListRequest", "carrier"): CARRIER_OR_NONE,
    ("ClaimServiceListRequest", "waybill"): WAYBILL_OR_NONE,
    ("ClaimServiceListRequest", "states"): Many(16),
    ("ClaimServiceWithdrawRequest", "claim_id"): ID_NEEDED,
    ("ClaimServiceSupplyEvidenceRequest", "claim_id"): ID_NEEDED,
    ("WalletServiceTopUpRequest", "amount"): Needed(),
    ("WalletServiceTopUpRequest", "note"): SHORT,
    ("WalletServiceWithdrawRequest", "amount"): Needed(),
    ("WalletServiceWithdrawRequest", "note"): SHORT,
    ("WalletServiceListEntriesRequest", "kinds"): Many(32),
    ("MerchantServiceUpsertRequest", "merchant"): Needed(),
    ("Merchant", "id"): OWN,
    ("Merchant", "wallet_currency"): Text(3, 0, r"[A-Z]{3}", "an ISO 4217 code"),
    ("Merchant", "agreements"): Many(200),
    ("Merchant", "waybill_services"): Many(200),
    ("Merchant", "payment_agreement_ids"): Many(200),
    ("Merchant", "type"): Needed(),
    ("Merchant", "store_status"): Needed(),
    ("Agreement", "version"): Text(32),
    ("MerchantServiceSignAgreementRequest", "agreement_id"): OWN,
    ("MerchantServiceSignAgreementRequest", "version"): Text(32, 1),
    ("MerchantServiceSetWaybillServiceRequest", "waybill_service"): Needed(),
    ("CarrierServiceGetRequest", "name"): CARRIER,
    ("OperationServiceListExceptionsRequest", "kinds"): Many(64),
    ("OperationServiceListExceptionsRequest", "carrier"): CARRIER_OR_NONE,
    ("OperationServiceListExceptionsRequest", "merchant_id"): OWN_OR_NONE,
    ("OperationServiceResolveExceptionRequest", "exception_id"): Text(128, 1),
    ("OperationServiceResolveExceptionRequest", "note"): Text(2_000, 1),
    ("OperationServiceDecideClaimRequest", "claim_id"): ID_NEEDED,
    ("OperationServiceDecideClaimRequest", "decision"): Needed(),
    ("OperationServiceDecideClaimRequest", "decision_key"): ID,
    ("OperationServiceRecordOfflineSettlementRequest", "claim_id"): ID_NEEDED,
    ("OperationServiceRecordOfflineSettlementRequest", "amount"): Needed(),
    ("OperationServiceRecordOfflineSettlementRequest", "reference"): Text(64, 1),
    ("OperationServiceImportStatementRequest", "lines"): Many(LINES_MAX, 1),
    ("OperationServiceImportStatementRequest", "sha256"): Text(
        64, 1, r"[0-9a-f]{64}", "64 lower-case hexadecimal digits"
    ),
    ("OperationServiceImportStatementRequest", "statement_no"): Text(64, 1),
    ("OperationServiceImportStatementRequest", "period_from"): Needed(),
    ("OperationServiceImportStatementRequest", "period_to"): Needed(),
    ("OperationServiceImportStatementRequest", "total"): Needed(),
    ("OperationServiceImportStatementRequest", "part"): Whole(0, PARTS_MAX),
    ("OperationServiceImportStatementRequest", "parts"): Whole(0, PARTS_MAX),
    ("StatementLine", "kind"): Needed(),
    ("StatementLine", "amount"): Needed(),
    ("StatementLine", "waybill"): WAYBILL_OR_NONE,
    ("StatementLine", "line_no"): Whole(1, 10_000_000),
    ("OperationServiceAuditRequest", "rules"): Many(100),
}
SIGNED = frozenset(  # amounts that may be below zero
    {("OperationServiceImportStatementRequest", "total"), ("StatementLine", "amount")}
)


def check(message: Message) -> None:
    """Raises Failure INVALID_ARGUMENT that names every wrong field, up to a number, by its path."""
    if entries(message) > ENTRIES_MAX:
        raise invalid([("", f"more than {ENTRIES_MAX} entries of lists, inner ones included")])
    faults = list(islice(_faults(message, ""), FAULTS_MAX))
    if faults:
        raise invalid(faults)


def entries(message: Message) -> int:
    """How many entries the lists of a message have, lists in lists included; counts to the limit.

    Lists have limits of their own, and a list in a list in a list multiplies them.
    """
    found = 0
    for field in _lists(message.DESCRIPTOR):
        value = getattr(message, field.name)
        inner: Iterable[Message] = value if field.is_repeated else (value,)
        found += len(value) if field.is_repeated else 0
        if _lists(field.message_type):
            for entry in inner:
                if found > ENTRIES_MAX:
                    break
                found += entries(entry)
    return found


@cache
def _lists(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The message fields that are lists, or hold some."""
    inner = (field for field in descriptor.fields if field.message_type is not None)
    return tuple(f for f in inner if f.is_repeated or _lists(f.message_type))


def _faults(message: Message, path: str) -> Iterator[Fault]:
    for check in checks(message.DESCRIPTOR):
        yield from check(message, path)


@cache
def checks(descriptor: Descriptor) -> tuple[Check, ...]:
    """The checks of a message, put together once."""
    made: list[Check] = []
    for field in descriptor.fields:
        rule = rule_of(descriptor, field)
        if field.containing_oneof:
            made.append(partial(_of_choice, field, rule))
        elif isinstance(rule, Text) and not field.is_repeated:
            made.append(partial(_of_text, field.name, rule))
        else:
            made.append(partial(_of_field, field, rule))
    made += [
        partial(_choice, oneof.name, tuple(field.name for field in oneof.fields))
        for oneof in descriptor.oneofs
        if isinstance(PER_MESSAGE.get((descriptor.name, oneof.name)), Needed)
    ]
    return tuple(made)


def rule_of(descriptor: Descriptor, field: FieldDescriptor) -> Any:
    """The rule of a field: of its own, else of its name, else of its type."""
    rule = PER_MESSAGE.get((descriptor.name, field.name), BY_NAME.get(field.name))
    if field.type == field.TYPE_STRING:
        return rule if isinstance(rule, Text) else Text()
    if field.message_type is not None and field.message_type.full_name == "google.type.Money":
        signed = (descriptor.name, field.name) in SIGNED
        return partial(_amount, isinstance(rule, Needed), signed)
    return None if isinstance(rule, Text) else rule


def _choice(name: str, members: tuple[str, ...], message: Message, path: str) -> Iterator[Fault]:
    if message.WhichOneof(name) is None:
        yield f"{path}{members[0]}", f"needed: it, or {' or '.join(members[1:])}"


def _of_choice(field: FieldDescriptor, rule: Any, message: Message, path: str) -> Iterator[Fault]:
    """A member of a oneof is checked where it was chosen; chosen, it must say something."""
    if message.HasField(field.name):
        if field.type == field.TYPE_STRING and not getattr(message, field.name):
            yield f"{path}{field.name}", "needed"
        yield from _of_field(field, rule, message, path)


def _of_text(name: str, rule: Text, message: Message, path: str) -> Iterable[Fault]:
    """What `_of_field` comes to for text, in a third of its time: most fields are."""
    value = getattr(message, name)
    return rule.check(value, f"{path}{name}") if value or rule.least else ()


def _of_field(field: FieldDescriptor, rule: Any, message: Message, path: str) -> Iterator[Fault]:
    value = getattr(message, field.name)
    where = f"{path}{field.name}"
    if field.is_repeated:
        if isinstance(rule, Many) and not rule.least <= len(value) <= rule.most:
            yield where, f"{rule.least} to {rule.most} entries"
            return
        if len(value) > PAGE_MAX * 5:
            yield where, "too many entries"
            return
        for index, entry in enumerate(value):
            yield from _value(field, rule, entry, f"{where}[{index}]")
    elif field.message_type is not None and not message.HasField(field.name):
        if isinstance(rule, Needed) or (isinstance(rule, partial) and rule.args[0]):
            yield where, "needed"
    else:
        yield from _value(field, rule, value, where)


def _value(field: FieldDescriptor, rule: Any, value: Any, path: str) -> Iterator[Fault]:
    if isinstance(rule, Text | Whole):
        yield from rule.check(value, path)
    elif isinstance(rule, partial):
        yield from rule(value, path)
    elif field.enum_type is not None:
        if value not in field.enum_type.values_by_number:
            yield path, "not a value that is known"
        elif not value and isinstance(rule, Needed):
            yield path, "needed"
    elif field.message_type is not None:
        known = TIMES.get(field.message_type.full_name)
        yield from known(value, path) if known else _faults(value, f"{path}.")


def _amount(_: bool, signed: bool, value: WireMoney, path: str) -> Iterator[Fault]:
    try:
        money = Money.of_units(value.units, value.nanos, value.currency_code)
    except ValueError as error:
        yield path, str(error)
        return
    if (money.minor <= 0 and not signed) or abs(money.minor) > AMOUNT_MAX:
        yield path, "above zero, and at most 10^12 minor units"


def _time(value: Any, path: str) -> Iterator[Fault]:
    if not 0 <= value.seconds <= SECONDS_MAX or not 0 <= value.nanos < 1_000_000_000:
        yield path, "not a time"


def _duration(value: Any, path: str) -> Iterator[Fault]:
    if not 0 <= value.seconds <= 86_400 or not 0 <= value.nanos < 1_000_000_000:
        yield path, "0 to 86 400 seconds"


TIMES: Mapping[str, Check] = {
    "google.protobuf.Timestamp": _time,
    "google.protobuf.Duration": _duration,
}


def minor(value: WireMoney) -> int:
    """The minor units of an amount that `check` has let through."""
    return Money.of_units(value.units, value.nanos, value.currency_code).minor
