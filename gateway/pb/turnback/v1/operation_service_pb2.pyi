import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.type import money_pb2 as _money_pb2
from gateway.pb.turnback.v1 import claim_service_pb2 as _claim_service_pb2
from gateway.pb.turnback.v1 import intercept_service_pb2 as _intercept_service_pb2
from gateway.pb.turnback.v1 import options_pb2 as _options_pb2
from gateway.pb.turnback.v1 import types_pb2 as _types_pb2
from gateway.pb.turnback.v1 import wallet_service_pb2 as _wallet_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExceptionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXCEPTION_KIND_UNSPECIFIED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_LATE_ACCEPTANCE: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_NO_EVIDENCE: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_STALE: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_RECOVERY: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_CONTRADICTION: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_PROMISE_BROKEN: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_PARKED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_GIVEN_UP: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_UNLISTED_ANSWER: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_WRONG_WAYBILL: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_ACCOUNT_REJECTED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_CLAIM_OVERDUE: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_AUDIT: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_AWARD_REVERSED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_QUARANTINED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_FEE_UNKNOWN_WAYBILL: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_FEE_NOT_BILLED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_FEE_DIFFERS: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_FEE_BILLED_TWICE: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_WRONG_CURRENCY: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_FOREIGN_REFERENCE: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_FEE_BILLED_THOUGH_REFUSED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_REFUND_NOT_CREDITED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_LATE_ACCEPTANCE_BILLED: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_AWARD_UNDERPAID: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_AWARD_UNPAID: _ClassVar[ExceptionKind]
    EXCEPTION_KIND_PAYMENT_WITHOUT_AWARD: _ClassVar[ExceptionKind]

class ClaimDecision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLAIM_DECISION_UNSPECIFIED: _ClassVar[ClaimDecision]
    CLAIM_DECISION_AWARD: _ClassVar[ClaimDecision]
    CLAIM_DECISION_AWARD_PART: _ClassVar[ClaimDecision]
    CLAIM_DECISION_REJECT: _ClassVar[ClaimDecision]
    CLAIM_DECISION_QUESTION: _ClassVar[ClaimDecision]

class StatementLineKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATEMENT_LINE_KIND_UNSPECIFIED: _ClassVar[StatementLineKind]
    STATEMENT_LINE_KIND_FEE: _ClassVar[StatementLineKind]
    STATEMENT_LINE_KIND_FEE_CREDIT: _ClassVar[StatementLineKind]
    STATEMENT_LINE_KIND_CLAIM: _ClassVar[StatementLineKind]
    STATEMENT_LINE_KIND_OTHER: _ClassVar[StatementLineKind]
EXCEPTION_KIND_UNSPECIFIED: ExceptionKind
EXCEPTION_KIND_LATE_ACCEPTANCE: ExceptionKind
EXCEPTION_KIND_NO_EVIDENCE: ExceptionKind
EXCEPTION_KIND_STALE: ExceptionKind
EXCEPTION_KIND_RECOVERY: ExceptionKind
EXCEPTION_KIND_CONTRADICTION: ExceptionKind
EXCEPTION_KIND_PROMISE_BROKEN: ExceptionKind
EXCEPTION_KIND_PARKED: ExceptionKind
EXCEPTION_KIND_GIVEN_UP: ExceptionKind
EXCEPTION_KIND_UNLISTED_ANSWER: ExceptionKind
EXCEPTION_KIND_WRONG_WAYBILL: ExceptionKind
EXCEPTION_KIND_ACCOUNT_REJECTED: ExceptionKind
EXCEPTION_KIND_CLAIM_OVERDUE: ExceptionKind
EXCEPTION_KIND_AUDIT: ExceptionKind
EXCEPTION_KIND_AWARD_REVERSED: ExceptionKind
EXCEPTION_KIND_QUARANTINED: ExceptionKind
EXCEPTION_KIND_FEE_UNKNOWN_WAYBILL: ExceptionKind
EXCEPTION_KIND_FEE_NOT_BILLED: ExceptionKind
EXCEPTION_KIND_FEE_DIFFERS: ExceptionKind
EXCEPTION_KIND_FEE_BILLED_TWICE: ExceptionKind
EXCEPTION_KIND_WRONG_CURRENCY: ExceptionKind
EXCEPTION_KIND_FOREIGN_REFERENCE: ExceptionKind
EXCEPTION_KIND_FEE_BILLED_THOUGH_REFUSED: ExceptionKind
EXCEPTION_KIND_REFUND_NOT_CREDITED: ExceptionKind
EXCEPTION_KIND_LATE_ACCEPTANCE_BILLED: ExceptionKind
EXCEPTION_KIND_AWARD_UNDERPAID: ExceptionKind
EXCEPTION_KIND_AWARD_UNPAID: ExceptionKind
EXCEPTION_KIND_PAYMENT_WITHOUT_AWARD: ExceptionKind
CLAIM_DECISION_UNSPECIFIED: ClaimDecision
CLAIM_DECISION_AWARD: ClaimDecision
CLAIM_DECISION_AWARD_PART: ClaimDecision
CLAIM_DECISION_REJECT: ClaimDecision
CLAIM_DECISION_QUESTION: ClaimDecision
STATEMENT_LINE_KIND_UNSPECIFIED: StatementLineKind
STATEMENT_LINE_KIND_FEE: StatementLineKind
STATEMENT_LINE_KIND_FEE_CREDIT: StatementLineKind
STATEMENT_LINE_KIND_CLAIM: StatementLineKind
STATEMENT_LINE_KIND_OTHER: StatementLineKind

class ExceptionCase(_message.Message):
    __slots__ = ("id", "kind", "carrier", "merchant_id", "waybill", "interception_id", "claim_id", "award_id", "statement_id", "line_no", "expected", "actual", "note", "opened_at", "closed_at", "closed_by", "closed_note")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    AWARD_ID_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_NO_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_BY_FIELD_NUMBER: _ClassVar[int]
    CLOSED_NOTE_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: ExceptionKind
    carrier: str
    merchant_id: str
    waybill: str
    interception_id: str
    claim_id: str
    award_id: str
    statement_id: str
    line_no: int
    expected: _money_pb2.Money
    actual: _money_pb2.Money
    note: str
    opened_at: _timestamp_pb2.Timestamp
    closed_at: _timestamp_pb2.Timestamp
    closed_by: str
    closed_note: str
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[ExceptionKind, str]] = ..., carrier: _Optional[str] = ..., merchant_id: _Optional[str] = ..., waybill: _Optional[str] = ..., interception_id: _Optional[str] = ..., claim_id: _Optional[str] = ..., award_id: _Optional[str] = ..., statement_id: _Optional[str] = ..., line_no: _Optional[int] = ..., expected: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., actual: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., note: _Optional[str] = ..., opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closed_by: _Optional[str] = ..., closed_note: _Optional[str] = ...) -> None: ...

class OperationServiceListExceptionsRequest(_message.Message):
    __slots__ = ("kinds", "carrier", "merchant_id", "interception_id", "include_closed", "opened_from", "opened_to", "page_size", "page_token", "claim_id", "statement_id")
    KINDS_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_CLOSED_FIELD_NUMBER: _ClassVar[int]
    OPENED_FROM_FIELD_NUMBER: _ClassVar[int]
    OPENED_TO_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[ExceptionKind]
    carrier: str
    merchant_id: str
    interception_id: str
    include_closed: bool
    opened_from: _timestamp_pb2.Timestamp
    opened_to: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    claim_id: str
    statement_id: str
    def __init__(self, kinds: _Optional[_Iterable[_Union[ExceptionKind, str]]] = ..., carrier: _Optional[str] = ..., merchant_id: _Optional[str] = ..., interception_id: _Optional[str] = ..., include_closed: _Optional[bool] = ..., opened_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., opened_to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., claim_id: _Optional[str] = ..., statement_id: _Optional[str] = ...) -> None: ...

class OperationServiceListExceptionsResponse(_message.Message):
    __slots__ = ("exceptions", "next_page_token")
    EXCEPTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    exceptions: _containers.RepeatedCompositeFieldContainer[ExceptionCase]
    next_page_token: str
    def __init__(self, exceptions: _Optional[_Iterable[_Union[ExceptionCase, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("decision", "movement", "movement_cause", "incident")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    MOVEMENT_FIELD_NUMBER: _ClassVar[int]
    MOVEMENT_CAUSE_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    decision: _intercept_service_pb2.Decision
    movement: _intercept_service_pb2.Movement
    movement_cause: _intercept_service_pb2.MovementCause
    incident: _types_pb2.IncidentKind
    def __init__(self, decision: _Optional[_Union[_intercept_service_pb2.Decision, str]] = ..., movement: _Optional[_Union[_intercept_service_pb2.Movement, str]] = ..., movement_cause: _Optional[_Union[_intercept_service_pb2.MovementCause, str]] = ..., incident: _Optional[_Union[_types_pb2.IncidentKind, str]] = ...) -> None: ...

class Posting(_message.Message):
    __slots__ = ("account", "amount", "from_platform")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    FROM_PLATFORM_FIELD_NUMBER: _ClassVar[int]
    account: _wallet_service_pb2.Account
    amount: _money_pb2.Money
    from_platform: bool
    def __init__(self, account: _Optional[_Union[_wallet_service_pb2.Account, str]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., from_platform: _Optional[bool] = ...) -> None: ...

class OperationServiceResolveExceptionRequest(_message.Message):
    __slots__ = ("request_id", "exception_id", "note", "evidence", "finding", "posting")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EXCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    POSTING_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    exception_id: str
    note: str
    evidence: _containers.RepeatedCompositeFieldContainer[_types_pb2.Proof]
    finding: Finding
    posting: Posting
    def __init__(self, request_id: _Optional[str] = ..., exception_id: _Optional[str] = ..., note: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[_types_pb2.Proof, _Mapping]]] = ..., finding: _Optional[_Union[Finding, _Mapping]] = ..., posting: _Optional[_Union[Posting, _Mapping]] = ...) -> None: ...

class OperationServiceResolveExceptionResponse(_message.Message):
    __slots__ = ("exception", "interception", "replayed")
    EXCEPTION_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    exception: ExceptionCase
    interception: _intercept_service_pb2.Interception
    replayed: bool
    def __init__(self, exception: _Optional[_Union[ExceptionCase, _Mapping]] = ..., interception: _Optional[_Union[_intercept_service_pb2.Interception, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class OperationServiceDecideClaimRequest(_message.Message):
    __slots__ = ("request_id", "claim_id", "decision", "granted", "decision_key", "note", "evidence")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    DECISION_KEY_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    claim_id: str
    decision: ClaimDecision
    granted: _money_pb2.Money
    decision_key: str
    note: str
    evidence: _containers.RepeatedCompositeFieldContainer[_types_pb2.Proof]
    def __init__(self, request_id: _Optional[str] = ..., claim_id: _Optional[str] = ..., decision: _Optional[_Union[ClaimDecision, str]] = ..., granted: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., decision_key: _Optional[str] = ..., note: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[_types_pb2.Proof, _Mapping]]] = ...) -> None: ...

class OperationServiceDecideClaimResponse(_message.Message):
    __slots__ = ("claim", "award", "replayed")
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    AWARD_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    claim: _claim_service_pb2.Claim
    award: _claim_service_pb2.Award
    replayed: bool
    def __init__(self, claim: _Optional[_Union[_claim_service_pb2.Claim, _Mapping]] = ..., award: _Optional[_Union[_claim_service_pb2.Award, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class OperationServiceRecordOfflineSettlementRequest(_message.Message):
    __slots__ = ("request_id", "claim_id", "award_id", "amount", "reference", "settled_at", "note")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    AWARD_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    SETTLED_AT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    claim_id: str
    award_id: str
    amount: _money_pb2.Money
    reference: str
    settled_at: _timestamp_pb2.Timestamp
    note: str
    def __init__(self, request_id: _Optional[str] = ..., claim_id: _Optional[str] = ..., award_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., reference: _Optional[str] = ..., settled_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class OperationServiceRecordOfflineSettlementResponse(_message.Message):
    __slots__ = ("claim", "award", "replayed")
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    AWARD_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    claim: _claim_service_pb2.Claim
    award: _claim_service_pb2.Award
    replayed: bool
    def __init__(self, claim: _Optional[_Union[_claim_service_pb2.Claim, _Mapping]] = ..., award: _Optional[_Union[_claim_service_pb2.Award, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class StatementLine(_message.Message):
    __slots__ = ("line_no", "kind", "reference", "waybill", "amount", "at")
    LINE_NO_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    line_no: int
    kind: StatementLineKind
    reference: str
    waybill: str
    amount: _money_pb2.Money
    at: _timestamp_pb2.Timestamp
    def __init__(self, line_no: _Optional[int] = ..., kind: _Optional[_Union[StatementLineKind, str]] = ..., reference: _Optional[str] = ..., waybill: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OperationServiceImportStatementRequest(_message.Message):
    __slots__ = ("request_id", "carrier", "account", "sha256", "statement_no", "period_from", "period_to", "total", "lines", "part", "parts", "corrects_statement_no")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_NO_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FROM_FIELD_NUMBER: _ClassVar[int]
    PERIOD_TO_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    CORRECTS_STATEMENT_NO_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    carrier: str
    account: str
    sha256: str
    statement_no: str
    period_from: _timestamp_pb2.Timestamp
    period_to: _timestamp_pb2.Timestamp
    total: _money_pb2.Money
    lines: _containers.RepeatedCompositeFieldContainer[StatementLine]
    part: int
    parts: int
    corrects_statement_no: str
    def __init__(self, request_id: _Optional[str] = ..., carrier: _Optional[str] = ..., account: _Optional[str] = ..., sha256: _Optional[str] = ..., statement_no: _Optional[str] = ..., period_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., period_to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[StatementLine, _Mapping]]] = ..., part: _Optional[int] = ..., parts: _Optional[int] = ..., corrects_statement_no: _Optional[str] = ...) -> None: ...

class OperationServiceImportStatementResponse(_message.Message):
    __slots__ = ("statement_id", "posted", "matched_count", "differing_count", "unmatched_count", "exceptions", "exception_count", "replayed")
    STATEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    POSTED_FIELD_NUMBER: _ClassVar[int]
    MATCHED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXCEPTIONS_FIELD_NUMBER: _ClassVar[int]
    EXCEPTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    statement_id: str
    posted: bool
    matched_count: int
    differing_count: int
    unmatched_count: int
    exceptions: _containers.RepeatedCompositeFieldContainer[ExceptionCase]
    exception_count: int
    replayed: bool
    def __init__(self, statement_id: _Optional[str] = ..., posted: _Optional[bool] = ..., matched_count: _Optional[int] = ..., differing_count: _Optional[int] = ..., unmatched_count: _Optional[int] = ..., exceptions: _Optional[_Iterable[_Union[ExceptionCase, _Mapping]]] = ..., exception_count: _Optional[int] = ..., replayed: _Optional[bool] = ...) -> None: ...

class OperationServiceAuditRequest(_message.Message):
    __slots__ = ("rules", "row_limit")
    RULES_FIELD_NUMBER: _ClassVar[int]
    ROW_LIMIT_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedScalarFieldContainer[str]
    row_limit: int
    def __init__(self, rules: _Optional[_Iterable[str]] = ..., row_limit: _Optional[int] = ...) -> None: ...

class AuditRow(_message.Message):
    __slots__ = ("values",)
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.ScalarMap[str, str]
    def __init__(self, values: _Optional[_Mapping[str, str]] = ...) -> None: ...

class AuditRule(_message.Message):
    __slots__ = ("name", "title", "violation_count", "rows", "elapsed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    violation_count: int
    rows: _containers.RepeatedCompositeFieldContainer[AuditRow]
    elapsed: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., violation_count: _Optional[int] = ..., rows: _Optional[_Iterable[_Union[AuditRow, _Mapping]]] = ..., elapsed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class OperationServiceAuditResponse(_message.Message):
    __slots__ = ("clean", "rules", "at")
    CLEAN_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    clean: bool
    rules: _containers.RepeatedCompositeFieldContainer[AuditRule]
    at: _timestamp_pb2.Timestamp
    def __init__(self, clean: _Optional[bool] = ..., rules: _Optional[_Iterable[_Union[AuditRule, _Mapping]]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OperationServiceIdleRequest(_message.Message):
    __slots__ = ("wait",)
    WAIT_FIELD_NUMBER: _ClassVar[int]
    wait: _duration_pb2.Duration
    def __init__(self, wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class OperationServiceIdleResponse(_message.Message):
    __slots__ = ("idle", "in_flight_count", "due_count", "next_due_at", "now")
    IDLE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUE_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_DUE_AT_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    idle: bool
    in_flight_count: int
    due_count: int
    next_due_at: _timestamp_pb2.Timestamp
    now: _timestamp_pb2.Timestamp
    def __init__(self, idle: _Optional[bool] = ..., in_flight_count: _Optional[int] = ..., due_count: _Optional[int] = ..., next_due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., now: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
