import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.type import money_pb2 as _money_pb2
from gateway.pb.turnback.v1 import options_pb2 as _options_pb2
from gateway.pb.turnback.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Operation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATION_UNSPECIFIED: _ClassVar[Operation]
    OPERATION_TRACK: _ClassVar[Operation]
    OPERATION_QUOTE: _ClassVar[Operation]
    OPERATION_INTERCEPT: _ClassVar[Operation]
    OPERATION_REDIRECT: _ClassVar[Operation]
    OPERATION_QUERY: _ClassVar[Operation]
    OPERATION_CANCEL: _ClassVar[Operation]
    OPERATION_CANCEL_ORDER: _ClassVar[Operation]
    OPERATION_SUBSCRIBE: _ClassVar[Operation]
    OPERATION_PUSH: _ClassVar[Operation]
    OPERATION_CLAIM: _ClassVar[Operation]
    OPERATION_CLAIM_QUERY: _ClassVar[Operation]
    OPERATION_ACTUAL_FEE: _ClassVar[Operation]
    OPERATION_TOKEN: _ClassVar[Operation]

class EvidenceLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_LEVEL_UNSPECIFIED: _ClassVar[EvidenceLevel]
    EVIDENCE_LEVEL_LISTED: _ClassVar[EvidenceLevel]
    EVIDENCE_LEVEL_PROVEN: _ClassVar[EvidenceLevel]
    EVIDENCE_LEVEL_LIVE: _ClassVar[EvidenceLevel]

class Dedup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEDUP_UNSPECIFIED: _ClassVar[Dedup]
    DEDUP_NONE: _ClassVar[Dedup]
    DEDUP_REFERENCE: _ClassVar[Dedup]
    DEDUP_WAYBILL: _ClassVar[Dedup]

class PromiseOn(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMISE_ON_UNSPECIFIED: _ClassVar[PromiseOn]
    PROMISE_ON_REPLY: _ClassVar[PromiseOn]
    PROMISE_ON_EVIDENCE: _ClassVar[PromiseOn]
    PROMISE_ON_PAYMENT: _ClassVar[PromiseOn]

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]

class ComplaintChannelKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPLAINT_CHANNEL_KIND_UNSPECIFIED: _ClassVar[ComplaintChannelKind]
    COMPLAINT_CHANNEL_KIND_PHONE: _ClassVar[ComplaintChannelKind]
    COMPLAINT_CHANNEL_KIND_GROUP: _ClassVar[ComplaintChannelKind]
    COMPLAINT_CHANNEL_KIND_EMAIL: _ClassVar[ComplaintChannelKind]
    COMPLAINT_CHANNEL_KIND_WEB: _ClassVar[ComplaintChannelKind]

class PayoutChannel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYOUT_CHANNEL_UNSPECIFIED: _ClassVar[PayoutChannel]
    PAYOUT_CHANNEL_OFFLINE: _ClassVar[PayoutChannel]
    PAYOUT_CHANNEL_WALLET: _ClassVar[PayoutChannel]

class ValueBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VALUE_BASIS_UNSPECIFIED: _ClassVar[ValueBasis]
    VALUE_BASIS_LEAST: _ClassVar[ValueBasis]
    VALUE_BASIS_PAID: _ClassVar[ValueBasis]
    VALUE_BASIS_DECLARED: _ClassVar[ValueBasis]
    VALUE_BASIS_LIST: _ClassVar[ValueBasis]

class FeeOnCancel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEE_ON_CANCEL_UNSPECIFIED: _ClassVar[FeeOnCancel]
    FEE_ON_CANCEL_REFUND: _ClassVar[FeeOnCancel]
    FEE_ON_CANCEL_KEEP: _ClassVar[FeeOnCancel]

class UnlistedNo(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNLISTED_NO_UNSPECIFIED: _ClassVar[UnlistedNo]
    UNLISTED_NO_RELEASE: _ClassVar[UnlistedNo]
    UNLISTED_NO_HOLD: _ClassVar[UnlistedNo]

class MergedBox(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MERGED_BOX_UNSPECIFIED: _ClassVar[MergedBox]
    MERGED_BOX_REFUSE_IF_OTHER_ORDER_OPEN: _ClassVar[MergedBox]
    MERGED_BOX_ALLOW: _ClassVar[MergedBox]
OPERATION_UNSPECIFIED: Operation
OPERATION_TRACK: Operation
OPERATION_QUOTE: Operation
OPERATION_INTERCEPT: Operation
OPERATION_REDIRECT: Operation
OPERATION_QUERY: Operation
OPERATION_CANCEL: Operation
OPERATION_CANCEL_ORDER: Operation
OPERATION_SUBSCRIBE: Operation
OPERATION_PUSH: Operation
OPERATION_CLAIM: Operation
OPERATION_CLAIM_QUERY: Operation
OPERATION_ACTUAL_FEE: Operation
OPERATION_TOKEN: Operation
EVIDENCE_LEVEL_UNSPECIFIED: EvidenceLevel
EVIDENCE_LEVEL_LISTED: EvidenceLevel
EVIDENCE_LEVEL_PROVEN: EvidenceLevel
EVIDENCE_LEVEL_LIVE: EvidenceLevel
DEDUP_UNSPECIFIED: Dedup
DEDUP_NONE: Dedup
DEDUP_REFERENCE: Dedup
DEDUP_WAYBILL: Dedup
PROMISE_ON_UNSPECIFIED: PromiseOn
PROMISE_ON_REPLY: PromiseOn
PROMISE_ON_EVIDENCE: PromiseOn
PROMISE_ON_PAYMENT: PromiseOn
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState
COMPLAINT_CHANNEL_KIND_UNSPECIFIED: ComplaintChannelKind
COMPLAINT_CHANNEL_KIND_PHONE: ComplaintChannelKind
COMPLAINT_CHANNEL_KIND_GROUP: ComplaintChannelKind
COMPLAINT_CHANNEL_KIND_EMAIL: ComplaintChannelKind
COMPLAINT_CHANNEL_KIND_WEB: ComplaintChannelKind
PAYOUT_CHANNEL_UNSPECIFIED: PayoutChannel
PAYOUT_CHANNEL_OFFLINE: PayoutChannel
PAYOUT_CHANNEL_WALLET: PayoutChannel
VALUE_BASIS_UNSPECIFIED: ValueBasis
VALUE_BASIS_LEAST: ValueBasis
VALUE_BASIS_PAID: ValueBasis
VALUE_BASIS_DECLARED: ValueBasis
VALUE_BASIS_LIST: ValueBasis
FEE_ON_CANCEL_UNSPECIFIED: FeeOnCancel
FEE_ON_CANCEL_REFUND: FeeOnCancel
FEE_ON_CANCEL_KEEP: FeeOnCancel
UNLISTED_NO_UNSPECIFIED: UnlistedNo
UNLISTED_NO_RELEASE: UnlistedNo
UNLISTED_NO_HOLD: UnlistedNo
MERGED_BOX_UNSPECIFIED: MergedBox
MERGED_BOX_REFUSE_IF_OTHER_ORDER_OPEN: MergedBox
MERGED_BOX_ALLOW: MergedBox

class ComplaintChannel(_message.Message):
    __slots__ = ("kind", "address", "note")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    kind: ComplaintChannelKind
    address: str
    note: str
    def __init__(self, kind: _Optional[_Union[ComplaintChannelKind, str]] = ..., address: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class Capability(_message.Message):
    __slots__ = ("operation", "grade", "repeatable")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    REPEATABLE_FIELD_NUMBER: _ClassVar[int]
    operation: Operation
    grade: _types_pb2.Grade
    repeatable: bool
    def __init__(self, operation: _Optional[_Union[Operation, str]] = ..., grade: _Optional[_Union[_types_pb2.Grade, str]] = ..., repeatable: _Optional[bool] = ...) -> None: ...

class CarrierHealth(_message.Message):
    __slots__ = ("breaker", "retry_at", "call_count", "failure_count", "median", "last_success_at", "queued_count", "unknown_count")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    RETRY_AT_FIELD_NUMBER: _ClassVar[int]
    CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_FIELD_NUMBER: _ClassVar[int]
    LAST_SUCCESS_AT_FIELD_NUMBER: _ClassVar[int]
    QUEUED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_COUNT_FIELD_NUMBER: _ClassVar[int]
    breaker: BreakerState
    retry_at: _timestamp_pb2.Timestamp
    call_count: int
    failure_count: int
    median: _duration_pb2.Duration
    last_success_at: _timestamp_pb2.Timestamp
    queued_count: int
    unknown_count: int
    def __init__(self, breaker: _Optional[_Union[BreakerState, str]] = ..., retry_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., call_count: _Optional[int] = ..., failure_count: _Optional[int] = ..., median: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., last_success_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., queued_count: _Optional[int] = ..., unknown_count: _Optional[int] = ...) -> None: ...

class FeeBand(_message.Message):
    __slots__ = ("status", "action", "fee")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    status: _types_pb2.LogisticsStatus
    action: _types_pb2.Action
    fee: _money_pb2.Money
    def __init__(self, status: _Optional[_Union[_types_pb2.LogisticsStatus, str]] = ..., action: _Optional[_Union[_types_pb2.Action, str]] = ..., fee: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class Contract(_message.Message):
    __slots__ = ("version", "currency", "fees", "cap", "window", "promise_on", "payout", "value_basis", "fee_on_cancel", "unlisted_no", "merged", "refund_on_return_failed", "refund_fee_on_loss", "quote_ttl", "send_deadline", "evidence_by", "claim_window", "stale_after", "fee_tolerance", "valid_from")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PROMISE_ON_FIELD_NUMBER: _ClassVar[int]
    PAYOUT_FIELD_NUMBER: _ClassVar[int]
    VALUE_BASIS_FIELD_NUMBER: _ClassVar[int]
    FEE_ON_CANCEL_FIELD_NUMBER: _ClassVar[int]
    UNLISTED_NO_FIELD_NUMBER: _ClassVar[int]
    MERGED_FIELD_NUMBER: _ClassVar[int]
    REFUND_ON_RETURN_FAILED_FIELD_NUMBER: _ClassVar[int]
    REFUND_FEE_ON_LOSS_FIELD_NUMBER: _ClassVar[int]
    QUOTE_TTL_FIELD_NUMBER: _ClassVar[int]
    SEND_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_BY_FIELD_NUMBER: _ClassVar[int]
    CLAIM_WINDOW_FIELD_NUMBER: _ClassVar[int]
    STALE_AFTER_FIELD_NUMBER: _ClassVar[int]
    FEE_TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    version: str
    currency: str
    fees: _containers.RepeatedCompositeFieldContainer[FeeBand]
    cap: _money_pb2.Money
    window: _containers.RepeatedScalarFieldContainer[_types_pb2.LogisticsStatus]
    promise_on: PromiseOn
    payout: PayoutChannel
    value_basis: ValueBasis
    fee_on_cancel: FeeOnCancel
    unlisted_no: UnlistedNo
    merged: MergedBox
    refund_on_return_failed: bool
    refund_fee_on_loss: bool
    quote_ttl: _duration_pb2.Duration
    send_deadline: _duration_pb2.Duration
    evidence_by: _duration_pb2.Duration
    claim_window: _duration_pb2.Duration
    stale_after: _duration_pb2.Duration
    fee_tolerance: _money_pb2.Money
    valid_from: _timestamp_pb2.Timestamp
    def __init__(self, version: _Optional[str] = ..., currency: _Optional[str] = ..., fees: _Optional[_Iterable[_Union[FeeBand, _Mapping]]] = ..., cap: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., window: _Optional[_Iterable[_Union[_types_pb2.LogisticsStatus, str]]] = ..., promise_on: _Optional[_Union[PromiseOn, str]] = ..., payout: _Optional[_Union[PayoutChannel, str]] = ..., value_basis: _Optional[_Union[ValueBasis, str]] = ..., fee_on_cancel: _Optional[_Union[FeeOnCancel, str]] = ..., unlisted_no: _Optional[_Union[UnlistedNo, str]] = ..., merged: _Optional[_Union[MergedBox, str]] = ..., refund_on_return_failed: _Optional[bool] = ..., refund_fee_on_loss: _Optional[bool] = ..., quote_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., send_deadline: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., evidence_by: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., claim_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., stale_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., fee_tolerance: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Carrier(_message.Message):
    __slots__ = ("name", "network", "title", "docs", "capabilities", "evidence_level", "evidence_at", "dedup", "dedup_grade", "tombstone", "tombstone_grade", "in_flight_bound", "in_flight_bound_grade", "reintercept", "unknown_waits", "complaint_channels", "health", "contract", "push_tier")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DOCS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_LEVEL_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_AT_FIELD_NUMBER: _ClassVar[int]
    DEDUP_FIELD_NUMBER: _ClassVar[int]
    DEDUP_GRADE_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONE_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONE_GRADE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_BOUND_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_BOUND_GRADE_FIELD_NUMBER: _ClassVar[int]
    REINTERCEPT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_WAITS_FIELD_NUMBER: _ClassVar[int]
    COMPLAINT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    PUSH_TIER_FIELD_NUMBER: _ClassVar[int]
    name: str
    network: str
    title: str
    docs: str
    capabilities: _containers.RepeatedCompositeFieldContainer[Capability]
    evidence_level: EvidenceLevel
    evidence_at: _timestamp_pb2.Timestamp
    dedup: Dedup
    dedup_grade: _types_pb2.Grade
    tombstone: bool
    tombstone_grade: _types_pb2.Grade
    in_flight_bound: _duration_pb2.Duration
    in_flight_bound_grade: _types_pb2.Grade
    reintercept: bool
    unknown_waits: bool
    complaint_channels: _containers.RepeatedCompositeFieldContainer[ComplaintChannel]
    health: CarrierHealth
    contract: Contract
    push_tier: _types_pb2.EvidenceTier
    def __init__(self, name: _Optional[str] = ..., network: _Optional[str] = ..., title: _Optional[str] = ..., docs: _Optional[str] = ..., capabilities: _Optional[_Iterable[_Union[Capability, _Mapping]]] = ..., evidence_level: _Optional[_Union[EvidenceLevel, str]] = ..., evidence_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dedup: _Optional[_Union[Dedup, str]] = ..., dedup_grade: _Optional[_Union[_types_pb2.Grade, str]] = ..., tombstone: _Optional[bool] = ..., tombstone_grade: _Optional[_Union[_types_pb2.Grade, str]] = ..., in_flight_bound: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., in_flight_bound_grade: _Optional[_Union[_types_pb2.Grade, str]] = ..., reintercept: _Optional[bool] = ..., unknown_waits: _Optional[bool] = ..., complaint_channels: _Optional[_Iterable[_Union[ComplaintChannel, _Mapping]]] = ..., health: _Optional[_Union[CarrierHealth, _Mapping]] = ..., contract: _Optional[_Union[Contract, _Mapping]] = ..., push_tier: _Optional[_Union[_types_pb2.EvidenceTier, str]] = ...) -> None: ...

class CarrierServiceListRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class CarrierServiceListResponse(_message.Message):
    __slots__ = ("carriers", "next_page_token")
    CARRIERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    carriers: _containers.RepeatedCompositeFieldContainer[Carrier]
    next_page_token: str
    def __init__(self, carriers: _Optional[_Iterable[_Union[Carrier, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CarrierServiceGetRequest(_message.Message):
    __slots__ = ("name", "account")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    account: str
    def __init__(self, name: _Optional[str] = ..., account: _Optional[str] = ...) -> None: ...

class CarrierServiceGetResponse(_message.Message):
    __slots__ = ("carrier",)
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    carrier: Carrier
    def __init__(self, carrier: _Optional[_Union[Carrier, _Mapping]] = ...) -> None: ...
