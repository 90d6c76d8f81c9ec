import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import error_details_pb2 as _error_details_pb2
from google.type import money_pb2 as _money_pb2
from gateway.pb.turnback.v1 import carrier_service_pb2 as _carrier_service_pb2
from gateway.pb.turnback.v1 import options_pb2 as _options_pb2
from gateway.pb.turnback.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClaimKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLAIM_KIND_UNSPECIFIED: _ClassVar[ClaimKind]
    CLAIM_KIND_LOST: _ClassVar[ClaimKind]
    CLAIM_KIND_DAMAGED: _ClassVar[ClaimKind]
    CLAIM_KIND_SHORTAGE: _ClassVar[ClaimKind]
    CLAIM_KIND_RETURN_FAILED: _ClassVar[ClaimKind]

class ClaimState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLAIM_STATE_UNSPECIFIED: _ClassVar[ClaimState]
    CLAIM_STATE_FILED: _ClassVar[ClaimState]
    CLAIM_STATE_UNDER_REVIEW: _ClassVar[ClaimState]
    CLAIM_STATE_QUESTION: _ClassVar[ClaimState]
    CLAIM_STATE_PARTLY_AWARDED: _ClassVar[ClaimState]
    CLAIM_STATE_AWARDED: _ClassVar[ClaimState]
    CLAIM_STATE_REJECTED: _ClassVar[ClaimState]
    CLAIM_STATE_WITHDRAWN: _ClassVar[ClaimState]
    CLAIM_STATE_VOID: _ClassVar[ClaimState]

class ClaimReviewer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLAIM_REVIEWER_UNSPECIFIED: _ClassVar[ClaimReviewer]
    CLAIM_REVIEWER_CARRIER: _ClassVar[ClaimReviewer]
    CLAIM_REVIEWER_OPERATOR: _ClassVar[ClaimReviewer]

class ClaimLimit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLAIM_LIMIT_UNSPECIFIED: _ClassVar[ClaimLimit]
    CLAIM_LIMIT_LOSS: _ClassVar[ClaimLimit]
    CLAIM_LIMIT_GRANTED: _ClassVar[ClaimLimit]
    CLAIM_LIMIT_VALUE: _ClassVar[ClaimLimit]
    CLAIM_LIMIT_CAP: _ClassVar[ClaimLimit]
CLAIM_KIND_UNSPECIFIED: ClaimKind
CLAIM_KIND_LOST: ClaimKind
CLAIM_KIND_DAMAGED: ClaimKind
CLAIM_KIND_SHORTAGE: ClaimKind
CLAIM_KIND_RETURN_FAILED: ClaimKind
CLAIM_STATE_UNSPECIFIED: ClaimState
CLAIM_STATE_FILED: ClaimState
CLAIM_STATE_UNDER_REVIEW: ClaimState
CLAIM_STATE_QUESTION: ClaimState
CLAIM_STATE_PARTLY_AWARDED: ClaimState
CLAIM_STATE_AWARDED: ClaimState
CLAIM_STATE_REJECTED: ClaimState
CLAIM_STATE_WITHDRAWN: ClaimState
CLAIM_STATE_VOID: ClaimState
CLAIM_REVIEWER_UNSPECIFIED: ClaimReviewer
CLAIM_REVIEWER_CARRIER: ClaimReviewer
CLAIM_REVIEWER_OPERATOR: ClaimReviewer
CLAIM_LIMIT_UNSPECIFIED: ClaimLimit
CLAIM_LIMIT_LOSS: ClaimLimit
CLAIM_LIMIT_GRANTED: ClaimLimit
CLAIM_LIMIT_VALUE: ClaimLimit
CLAIM_LIMIT_CAP: ClaimLimit

class ClaimBreakdown(_message.Message):
    __slots__ = ("loss", "granted", "value", "cap_remaining", "limit", "result")
    LOSS_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CAP_REMAINING_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    loss: _money_pb2.Money
    granted: _money_pb2.Money
    value: _money_pb2.Money
    cap_remaining: _money_pb2.Money
    limit: ClaimLimit
    result: _money_pb2.Money
    def __init__(self, loss: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., granted: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., value: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cap_remaining: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., limit: _Optional[_Union[ClaimLimit, str]] = ..., result: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class Award(_message.Message):
    __slots__ = ("id", "amount", "decision_key", "breakdown", "awarded_at", "channel", "paid", "paid_amount", "paid_at", "paid_reference", "actor")
    ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DECISION_KEY_FIELD_NUMBER: _ClassVar[int]
    BREAKDOWN_FIELD_NUMBER: _ClassVar[int]
    AWARDED_AT_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    PAID_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    PAID_AT_FIELD_NUMBER: _ClassVar[int]
    PAID_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    id: str
    amount: _money_pb2.Money
    decision_key: str
    breakdown: ClaimBreakdown
    awarded_at: _timestamp_pb2.Timestamp
    channel: _carrier_service_pb2.PayoutChannel
    paid: bool
    paid_amount: _money_pb2.Money
    paid_at: _timestamp_pb2.Timestamp
    paid_reference: str
    actor: str
    def __init__(self, id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., decision_key: _Optional[str] = ..., breakdown: _Optional[_Union[ClaimBreakdown, _Mapping]] = ..., awarded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., channel: _Optional[_Union[_carrier_service_pb2.PayoutChannel, str]] = ..., paid: _Optional[bool] = ..., paid_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., paid_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., paid_reference: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("id", "interception_id", "parcel_id", "merchant_id", "carrier", "waybill", "return_waybill", "kind", "order_no", "line_no", "loss", "description", "evidence", "state", "reviewer", "carrier_reference", "question", "breakdown", "awards", "awarded", "paid", "payout", "paid_in_full", "decided_reason", "decided_messages", "complaint_channels", "filed_at", "decided_at", "window_ends_at", "version", "incident_id", "request_id", "open_exception_count")
    ID_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PARCEL_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    RETURN_WAYBILL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ORDER_NO_FIELD_NUMBER: _ClassVar[int]
    LINE_NO_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    CARRIER_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    BREAKDOWN_FIELD_NUMBER: _ClassVar[int]
    AWARDS_FIELD_NUMBER: _ClassVar[int]
    AWARDED_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    PAYOUT_FIELD_NUMBER: _ClassVar[int]
    PAID_IN_FULL_FIELD_NUMBER: _ClassVar[int]
    DECIDED_REASON_FIELD_NUMBER: _ClassVar[int]
    DECIDED_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    COMPLAINT_CHANNELS_FIELD_NUMBER: _ClassVar[int]
    FILED_AT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_ENDS_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_EXCEPTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    id: str
    interception_id: str
    parcel_id: str
    merchant_id: str
    carrier: str
    waybill: str
    return_waybill: str
    kind: ClaimKind
    order_no: str
    line_no: str
    loss: _money_pb2.Money
    description: str
    evidence: _containers.RepeatedCompositeFieldContainer[_types_pb2.Proof]
    state: ClaimState
    reviewer: ClaimReviewer
    carrier_reference: str
    question: str
    breakdown: ClaimBreakdown
    awards: _containers.RepeatedCompositeFieldContainer[Award]
    awarded: _money_pb2.Money
    paid: _money_pb2.Money
    payout: _carrier_service_pb2.PayoutChannel
    paid_in_full: bool
    decided_reason: str
    decided_messages: _containers.RepeatedCompositeFieldContainer[_error_details_pb2.LocalizedMessage]
    complaint_channels: _containers.RepeatedCompositeFieldContainer[_carrier_service_pb2.ComplaintChannel]
    filed_at: _timestamp_pb2.Timestamp
    decided_at: _timestamp_pb2.Timestamp
    window_ends_at: _timestamp_pb2.Timestamp
    version: int
    incident_id: str
    request_id: str
    open_exception_count: int
    def __init__(self, id: _Optional[str] = ..., interception_id: _Optional[str] = ..., parcel_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., carrier: _Optional[str] = ..., waybill: _Optional[str] = ..., return_waybill: _Optional[str] = ..., kind: _Optional[_Union[ClaimKind, str]] = ..., order_no: _Optional[str] = ..., line_no: _Optional[str] = ..., loss: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., description: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[_types_pb2.Proof, _Mapping]]] = ..., state: _Optional[_Union[ClaimState, str]] = ..., reviewer: _Optional[_Union[ClaimReviewer, str]] = ..., carrier_reference: _Optional[str] = ..., question: _Optional[str] = ..., breakdown: _Optional[_Union[ClaimBreakdown, _Mapping]] = ..., awards: _Optional[_Iterable[_Union[Award, _Mapping]]] = ..., awarded: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., paid: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., payout: _Optional[_Union[_carrier_service_pb2.PayoutChannel, str]] = ..., paid_in_full: _Optional[bool] = ..., decided_reason: _Optional[str] = ..., decided_messages: _Optional[_Iterable[_Union[_error_details_pb2.LocalizedMessage, _Mapping]]] = ..., complaint_channels: _Optional[_Iterable[_Union[_carrier_service_pb2.ComplaintChannel, _Mapping]]] = ..., filed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., window_ends_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., incident_id: _Optional[str] = ..., request_id: _Optional[str] = ..., open_exception_count: _Optional[int] = ...) -> None: ...

class ClaimServiceFileRequest(_message.Message):
    __slots__ = ("request_id", "interception_id", "kind", "order_no", "line_no", "loss", "description", "evidence")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ORDER_NO_FIELD_NUMBER: _ClassVar[int]
    LINE_NO_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    interception_id: str
    kind: ClaimKind
    order_no: str
    line_no: str
    loss: _money_pb2.Money
    description: str
    evidence: _containers.RepeatedCompositeFieldContainer[_types_pb2.Proof]
    def __init__(self, request_id: _Optional[str] = ..., interception_id: _Optional[str] = ..., kind: _Optional[_Union[ClaimKind, str]] = ..., order_no: _Optional[str] = ..., line_no: _Optional[str] = ..., loss: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., description: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[_types_pb2.Proof, _Mapping]]] = ...) -> None: ...

class ClaimServiceFileResponse(_message.Message):
    __slots__ = ("claim", "replayed")
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    claim: Claim
    replayed: bool
    def __init__(self, claim: _Optional[_Union[Claim, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class ClaimServiceGetRequest(_message.Message):
    __slots__ = ("claim_id",)
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    claim_id: str
    def __init__(self, claim_id: _Optional[str] = ...) -> None: ...

class ClaimServiceGetResponse(_message.Message):
    __slots__ = ("claim",)
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    claim: Claim
    def __init__(self, claim: _Optional[_Union[Claim, _Mapping]] = ...) -> None: ...

class ClaimServiceListRequest(_message.Message):
    __slots__ = ("merchant_id", "interception_id", "carrier", "states", "waybill", "filed_from", "filed_to", "page_size", "page_token")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    FILED_FROM_FIELD_NUMBER: _ClassVar[int]
    FILED_TO_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    interception_id: str
    carrier: str
    states: _containers.RepeatedScalarFieldContainer[ClaimState]
    waybill: str
    filed_from: _timestamp_pb2.Timestamp
    filed_to: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, merchant_id: _Optional[str] = ..., interception_id: _Optional[str] = ..., carrier: _Optional[str] = ..., states: _Optional[_Iterable[_Union[ClaimState, str]]] = ..., waybill: _Optional[str] = ..., filed_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., filed_to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ClaimServiceListResponse(_message.Message):
    __slots__ = ("claims", "next_page_token")
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    next_page_token: str
    def __init__(self, claims: _Optional[_Iterable[_Union[Claim, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ClaimServiceWithdrawRequest(_message.Message):
    __slots__ = ("request_id", "claim_id", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    claim_id: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., claim_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ClaimServiceWithdrawResponse(_message.Message):
    __slots__ = ("claim", "replayed")
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    claim: Claim
    replayed: bool
    def __init__(self, claim: _Optional[_Union[Claim, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class ClaimServiceSupplyEvidenceRequest(_message.Message):
    __slots__ = ("request_id", "claim_id", "evidence", "note")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    claim_id: str
    evidence: _containers.RepeatedCompositeFieldContainer[_types_pb2.Proof]
    note: str
    def __init__(self, request_id: _Optional[str] = ..., claim_id: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[_types_pb2.Proof, _Mapping]]] = ..., note: _Optional[str] = ...) -> None: ...

class ClaimServiceSupplyEvidenceResponse(_message.Message):
    __slots__ = ("claim", "replayed")
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    claim: Claim
    replayed: bool
    def __init__(self, claim: _Optional[_Union[Claim, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...
