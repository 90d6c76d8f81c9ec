import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import error_details_pb2 as _error_details_pb2
from google.rpc import status_pb2 as _status_pb2
from google.type import money_pb2 as _money_pb2
from gateway.pb.turnback.v1 import options_pb2 as _options_pb2
from gateway.pb.turnback.v1 import parcel_service_pb2 as _parcel_service_pb2
from gateway.pb.turnback.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_QUEUED: _ClassVar[Decision]
    DECISION_SENDING: _ClassVar[Decision]
    DECISION_PROCESSING: _ClassVar[Decision]
    DECISION_UNKNOWN: _ClassVar[Decision]
    DECISION_ACCEPTED: _ClassVar[Decision]
    DECISION_REFUSED: _ClassVar[Decision]
    DECISION_CANCELLED: _ClassVar[Decision]
    DECISION_NEVER_SENT: _ClassVar[Decision]
    DECISION_LATE_ACCEPTED: _ClassVar[Decision]

class Movement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVEMENT_UNSPECIFIED: _ClassVar[Movement]
    MOVEMENT_NONE: _ClassVar[Movement]
    MOVEMENT_RETURNING: _ClassVar[Movement]
    MOVEMENT_RETURNED: _ClassVar[Movement]
    MOVEMENT_LOST: _ClassVar[Movement]
    MOVEMENT_RETURN_FAILED: _ClassVar[Movement]
    MOVEMENT_NOT_SHIPPED: _ClassVar[Movement]

class MovementCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVEMENT_CAUSE_UNSPECIFIED: _ClassVar[MovementCause]
    MOVEMENT_CAUSE_DELIVERED: _ClassVar[MovementCause]
    MOVEMENT_CAUSE_CARRIER: _ClassVar[MovementCause]
    MOVEMENT_CAUSE_SENDER_REFUSED: _ClassVar[MovementCause]

class MoneyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MONEY_STATE_UNSPECIFIED: _ClassVar[MoneyState]
    MONEY_STATE_NONE: _ClassVar[MoneyState]
    MONEY_STATE_HELD: _ClassVar[MoneyState]
    MONEY_STATE_CAPTURED: _ClassVar[MoneyState]
    MONEY_STATE_RELEASED: _ClassVar[MoneyState]
    MONEY_STATE_REFUNDED: _ClassVar[MoneyState]

class CancelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANCEL_STATE_UNSPECIFIED: _ClassVar[CancelState]
    CANCEL_STATE_NONE: _ClassVar[CancelState]
    CANCEL_STATE_ASKED: _ClassVar[CancelState]
    CANCEL_STATE_SENT: _ClassVar[CancelState]
    CANCEL_STATE_DENIED: _ClassVar[CancelState]
    CANCEL_STATE_DONE: _ClassVar[CancelState]

class InterceptionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTERCEPTION_STATE_UNSPECIFIED: _ClassVar[InterceptionState]
    INTERCEPTION_STATE_DECIDING: _ClassVar[InterceptionState]
    INTERCEPTION_STATE_ACCEPTED: _ClassVar[InterceptionState]
    INTERCEPTION_STATE_RETURNING: _ClassVar[InterceptionState]
    INTERCEPTION_STATE_RETURNED: _ClassVar[InterceptionState]
    INTERCEPTION_STATE_LOST: _ClassVar[InterceptionState]
    INTERCEPTION_STATE_FAILED: _ClassVar[InterceptionState]
    INTERCEPTION_STATE_CANCELLED: _ClassVar[InterceptionState]
    INTERCEPTION_STATE_LATE: _ClassVar[InterceptionState]

class Path(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PATH_UNSPECIFIED: _ClassVar[Path]
    PATH_INTERCEPTED: _ClassVar[Path]
    PATH_CANCELLED_BEFORE_PICKUP: _ClassVar[Path]

class RefundAdvice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUND_ADVICE_UNSPECIFIED: _ClassVar[RefundAdvice]
    REFUND_ADVICE_WAIT: _ClassVar[RefundAdvice]
    REFUND_ADVICE_SAFE_TO_REFUND: _ClassVar[RefundAdvice]
    REFUND_ADVICE_DO_NOT_REFUND: _ClassVar[RefundAdvice]

class EventColumn(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_COLUMN_UNSPECIFIED: _ClassVar[EventColumn]
    EVENT_COLUMN_DECISION: _ClassVar[EventColumn]
    EVENT_COLUMN_MOVEMENT: _ClassVar[EventColumn]
    EVENT_COLUMN_MONEY: _ClassVar[EventColumn]
    EVENT_COLUMN_CANCEL: _ClassVar[EventColumn]
    EVENT_COLUMN_NOTE: _ClassVar[EventColumn]
DECISION_UNSPECIFIED: Decision
DECISION_QUEUED: Decision
DECISION_SENDING: Decision
DECISION_PROCESSING: Decision
DECISION_UNKNOWN: Decision
DECISION_ACCEPTED: Decision
DECISION_REFUSED: Decision
DECISION_CANCELLED: Decision
DECISION_NEVER_SENT: Decision
DECISION_LATE_ACCEPTED: Decision
MOVEMENT_UNSPECIFIED: Movement
MOVEMENT_NONE: Movement
MOVEMENT_RETURNING: Movement
MOVEMENT_RETURNED: Movement
MOVEMENT_LOST: Movement
MOVEMENT_RETURN_FAILED: Movement
MOVEMENT_NOT_SHIPPED: Movement
MOVEMENT_CAUSE_UNSPECIFIED: MovementCause
MOVEMENT_CAUSE_DELIVERED: MovementCause
MOVEMENT_CAUSE_CARRIER: MovementCause
MOVEMENT_CAUSE_SENDER_REFUSED: MovementCause
MONEY_STATE_UNSPECIFIED: MoneyState
MONEY_STATE_NONE: MoneyState
MONEY_STATE_HELD: MoneyState
MONEY_STATE_CAPTURED: MoneyState
MONEY_STATE_RELEASED: MoneyState
MONEY_STATE_REFUNDED: MoneyState
CANCEL_STATE_UNSPECIFIED: CancelState
CANCEL_STATE_NONE: CancelState
CANCEL_STATE_ASKED: CancelState
CANCEL_STATE_SENT: CancelState
CANCEL_STATE_DENIED: CancelState
CANCEL_STATE_DONE: CancelState
INTERCEPTION_STATE_UNSPECIFIED: InterceptionState
INTERCEPTION_STATE_DECIDING: InterceptionState
INTERCEPTION_STATE_ACCEPTED: InterceptionState
INTERCEPTION_STATE_RETURNING: InterceptionState
INTERCEPTION_STATE_RETURNED: InterceptionState
INTERCEPTION_STATE_LOST: InterceptionState
INTERCEPTION_STATE_FAILED: InterceptionState
INTERCEPTION_STATE_CANCELLED: InterceptionState
INTERCEPTION_STATE_LATE: InterceptionState
PATH_UNSPECIFIED: Path
PATH_INTERCEPTED: Path
PATH_CANCELLED_BEFORE_PICKUP: Path
REFUND_ADVICE_UNSPECIFIED: RefundAdvice
REFUND_ADVICE_WAIT: RefundAdvice
REFUND_ADVICE_SAFE_TO_REFUND: RefundAdvice
REFUND_ADVICE_DO_NOT_REFUND: RefundAdvice
EVENT_COLUMN_UNSPECIFIED: EventColumn
EVENT_COLUMN_DECISION: EventColumn
EVENT_COLUMN_MOVEMENT: EventColumn
EVENT_COLUMN_MONEY: EventColumn
EVENT_COLUMN_CANCEL: EventColumn
EVENT_COLUMN_NOTE: EventColumn

class FeeLine(_message.Message):
    __slots__ = ("key", "amount", "messages")
    KEY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    key: str
    amount: _money_pb2.Money
    messages: _containers.RepeatedCompositeFieldContainer[_error_details_pb2.LocalizedMessage]
    def __init__(self, key: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., messages: _Optional[_Iterable[_Union[_error_details_pb2.LocalizedMessage, _Mapping]]] = ...) -> None: ...

class ActionQuote(_message.Message):
    __slots__ = ("action", "eligible", "unmet", "fee", "lines")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    UNMET_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    action: _types_pb2.Action
    eligible: bool
    unmet: _containers.RepeatedCompositeFieldContainer[_types_pb2.Condition]
    fee: _money_pb2.Money
    lines: _containers.RepeatedCompositeFieldContainer[FeeLine]
    def __init__(self, action: _Optional[_Union[_types_pb2.Action, str]] = ..., eligible: _Optional[bool] = ..., unmet: _Optional[_Iterable[_Union[_types_pb2.Condition, _Mapping]]] = ..., fee: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[FeeLine, _Mapping]]] = ...) -> None: ...

class Quote(_message.Message):
    __slots__ = ("id", "merchant_id", "parcel_id", "carrier", "network", "waybill", "actions", "status", "status_at", "status_declared", "value", "cap", "cap_remaining", "created_at", "expires_at", "price_locked_until", "contract_version")
    ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    PARCEL_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STATUS_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_DECLARED_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    CAP_REMAINING_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    PRICE_LOCKED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_VERSION_FIELD_NUMBER: _ClassVar[int]
    id: str
    merchant_id: str
    parcel_id: str
    carrier: str
    network: str
    waybill: str
    actions: _containers.RepeatedCompositeFieldContainer[ActionQuote]
    status: _types_pb2.LogisticsStatus
    status_at: _timestamp_pb2.Timestamp
    status_declared: bool
    value: _money_pb2.Money
    cap: _money_pb2.Money
    cap_remaining: _money_pb2.Money
    created_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    price_locked_until: _timestamp_pb2.Timestamp
    contract_version: str
    def __init__(self, id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., parcel_id: _Optional[str] = ..., carrier: _Optional[str] = ..., network: _Optional[str] = ..., waybill: _Optional[str] = ..., actions: _Optional[_Iterable[_Union[ActionQuote, _Mapping]]] = ..., status: _Optional[_Union[_types_pb2.LogisticsStatus, str]] = ..., status_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status_declared: _Optional[bool] = ..., value: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cap: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cap_remaining: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., price_locked_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., contract_version: _Optional[str] = ...) -> None: ...

class InterceptServiceQuoteRequest(_message.Message):
    __slots__ = ("merchant_id", "parcel", "registration", "actions", "redirect_to")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    PARCEL_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_TO_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    parcel: _parcel_service_pb2.ParcelKey
    registration: _types_pb2.ParcelRegistration
    actions: _containers.RepeatedScalarFieldContainer[_types_pb2.Action]
    redirect_to: _types_pb2.Contact
    def __init__(self, merchant_id: _Optional[str] = ..., parcel: _Optional[_Union[_parcel_service_pb2.ParcelKey, _Mapping]] = ..., registration: _Optional[_Union[_types_pb2.ParcelRegistration, _Mapping]] = ..., actions: _Optional[_Iterable[_Union[_types_pb2.Action, str]]] = ..., redirect_to: _Optional[_Union[_types_pb2.Contact, _Mapping]] = ...) -> None: ...

class InterceptServiceQuoteResponse(_message.Message):
    __slots__ = ("quote",)
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    quote: Quote
    def __init__(self, quote: _Optional[_Union[Quote, _Mapping]] = ...) -> None: ...

class InterceptServiceCreateRequest(_message.Message):
    __slots__ = ("request_id", "quote_id", "action", "payment_token", "agreement_id", "cancel_ticket", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    QUOTE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    CANCEL_TICKET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    quote_id: str
    action: _types_pb2.Action
    payment_token: str
    agreement_id: str
    cancel_ticket: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., quote_id: _Optional[str] = ..., action: _Optional[_Union[_types_pb2.Action, str]] = ..., payment_token: _Optional[str] = ..., agreement_id: _Optional[str] = ..., cancel_ticket: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class InterceptServiceCreateResponse(_message.Message):
    __slots__ = ("interception", "replayed", "refund_advice")
    INTERCEPTION_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    REFUND_ADVICE_FIELD_NUMBER: _ClassVar[int]
    interception: Interception
    replayed: bool
    refund_advice: RefundAdvice
    def __init__(self, interception: _Optional[_Union[Interception, _Mapping]] = ..., replayed: _Optional[bool] = ..., refund_advice: _Optional[_Union[RefundAdvice, str]] = ...) -> None: ...

class InterceptServiceCancelRequest(_message.Message):
    __slots__ = ("request_id", "interception_id", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    interception_id: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., interception_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class InterceptServiceCancelResponse(_message.Message):
    __slots__ = ("interception", "replayed")
    INTERCEPTION_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    interception: Interception
    replayed: bool
    def __init__(self, interception: _Optional[_Union[Interception, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class InterceptServiceGetRequest(_message.Message):
    __slots__ = ("interception_id", "request_id")
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    interception_id: str
    request_id: str
    def __init__(self, interception_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class InterceptServiceGetResponse(_message.Message):
    __slots__ = ("interception",)
    INTERCEPTION_FIELD_NUMBER: _ClassVar[int]
    interception: Interception
    def __init__(self, interception: _Optional[_Union[Interception, _Mapping]] = ...) -> None: ...

class InterceptServiceListRequest(_message.Message):
    __slots__ = ("merchant_id", "carrier", "states", "decisions", "waybill", "created_from", "created_to", "order_no", "cancel_ticket", "page_size", "page_token", "money_states")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    CREATED_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_TO_FIELD_NUMBER: _ClassVar[int]
    ORDER_NO_FIELD_NUMBER: _ClassVar[int]
    CANCEL_TICKET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MONEY_STATES_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    carrier: str
    states: _containers.RepeatedScalarFieldContainer[InterceptionState]
    decisions: _containers.RepeatedScalarFieldContainer[Decision]
    waybill: str
    created_from: _timestamp_pb2.Timestamp
    created_to: _timestamp_pb2.Timestamp
    order_no: str
    cancel_ticket: str
    page_size: int
    page_token: str
    money_states: _containers.RepeatedScalarFieldContainer[MoneyState]
    def __init__(self, merchant_id: _Optional[str] = ..., carrier: _Optional[str] = ..., states: _Optional[_Iterable[_Union[InterceptionState, str]]] = ..., decisions: _Optional[_Iterable[_Union[Decision, str]]] = ..., waybill: _Optional[str] = ..., created_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., order_no: _Optional[str] = ..., cancel_ticket: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., money_states: _Optional[_Iterable[_Union[MoneyState, str]]] = ...) -> None: ...

class InterceptServiceListResponse(_message.Message):
    __slots__ = ("interceptions", "next_page_token")
    INTERCEPTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    interceptions: _containers.RepeatedCompositeFieldContainer[Interception]
    next_page_token: str
    def __init__(self, interceptions: _Optional[_Iterable[_Union[Interception, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class InterceptServiceListEventsRequest(_message.Message):
    __slots__ = ("interception_id", "page_size", "page_token")
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    interception_id: str
    page_size: int
    page_token: str
    def __init__(self, interception_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class InterceptServiceListEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class InterceptServiceWatchRequest(_message.Message):
    __slots__ = ("interception_id", "merchant_id", "cursor", "from_start")
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    FROM_START_FIELD_NUMBER: _ClassVar[int]
    interception_id: str
    merchant_id: str
    cursor: str
    from_start: bool
    def __init__(self, interception_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., cursor: _Optional[str] = ..., from_start: _Optional[bool] = ...) -> None: ...

class InterceptServiceWatchResponse(_message.Message):
    __slots__ = ("cursor", "event", "interception")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    event: Event
    interception: Interception
    def __init__(self, cursor: _Optional[str] = ..., event: _Optional[_Union[Event, _Mapping]] = ..., interception: _Optional[_Union[Interception, _Mapping]] = ...) -> None: ...

class InterceptServiceBatchQuoteRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[InterceptServiceQuoteRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[InterceptServiceQuoteRequest, _Mapping]]] = ...) -> None: ...

class InterceptServiceBatchQuoteResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[QuoteResult]
    def __init__(self, results: _Optional[_Iterable[_Union[QuoteResult, _Mapping]]] = ...) -> None: ...

class QuoteResult(_message.Message):
    __slots__ = ("quote", "error")
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    quote: Quote
    error: _status_pb2.Status
    def __init__(self, quote: _Optional[_Union[Quote, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class InterceptServiceBatchCreateRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[InterceptServiceCreateRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[InterceptServiceCreateRequest, _Mapping]]] = ...) -> None: ...

class InterceptServiceBatchCreateResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[CreateResult]
    def __init__(self, results: _Optional[_Iterable[_Union[CreateResult, _Mapping]]] = ...) -> None: ...

class CreateResult(_message.Message):
    __slots__ = ("created", "error")
    CREATED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    created: InterceptServiceCreateResponse
    error: _status_pb2.Status
    def __init__(self, created: _Optional[_Union[InterceptServiceCreateResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Interception(_message.Message):
    __slots__ = ("id", "merchant_id", "parcel_id", "carrier", "network", "account", "waybill", "return_waybill", "action", "order_nos", "decision", "movement", "movement_cause", "money", "cancel", "state", "path", "fee", "cap", "created_at", "updated_at", "send_deadline", "evidence_by", "promised_at", "decided_at", "refused_reason", "refused_messages", "carrier_code", "carrier_reference", "assumed", "quote_id", "request_id", "cancel_ticket", "reason", "refund_advice", "agreement_id", "version", "open_exception_count", "claim_ids", "quoted_status")
    ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    PARCEL_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    RETURN_WAYBILL_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ORDER_NOS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    MOVEMENT_FIELD_NUMBER: _ClassVar[int]
    MOVEMENT_CAUSE_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    SEND_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_BY_FIELD_NUMBER: _ClassVar[int]
    PROMISED_AT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_REASON_FIELD_NUMBER: _ClassVar[int]
    REFUSED_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    CARRIER_CODE_FIELD_NUMBER: _ClassVar[int]
    CARRIER_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    ASSUMED_FIELD_NUMBER: _ClassVar[int]
    QUOTE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CANCEL_TICKET_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REFUND_ADVICE_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OPEN_EXCEPTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    CLAIM_IDS_FIELD_NUMBER: _ClassVar[int]
    QUOTED_STATUS_FIELD_NUMBER: _ClassVar[int]
    id: str
    merchant_id: str
    parcel_id: str
    carrier: str
    network: str
    account: str
    waybill: str
    return_waybill: str
    action: _types_pb2.Action
    order_nos: _containers.RepeatedScalarFieldContainer[str]
    decision: Decision
    movement: Movement
    movement_cause: MovementCause
    money: MoneyState
    cancel: CancelState
    state: InterceptionState
    path: Path
    fee: _money_pb2.Money
    cap: _money_pb2.Money
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    send_deadline: _timestamp_pb2.Timestamp
    evidence_by: _timestamp_pb2.Timestamp
    promised_at: _timestamp_pb2.Timestamp
    decided_at: _timestamp_pb2.Timestamp
    refused_reason: str
    refused_messages: _containers.RepeatedCompositeFieldContainer[_error_details_pb2.LocalizedMessage]
    carrier_code: str
    carrier_reference: str
    assumed: bool
    quote_id: str
    request_id: str
    cancel_ticket: str
    reason: str
    refund_advice: RefundAdvice
    agreement_id: str
    version: int
    open_exception_count: int
    claim_ids: _containers.RepeatedScalarFieldContainer[str]
    quoted_status: _types_pb2.LogisticsStatus
    def __init__(self, id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., parcel_id: _Optional[str] = ..., carrier: _Optional[str] = ..., network: _Optional[str] = ..., account: _Optional[str] = ..., waybill: _Optional[str] = ..., return_waybill: _Optional[str] = ..., action: _Optional[_Union[_types_pb2.Action, str]] = ..., order_nos: _Optional[_Iterable[str]] = ..., decision: _Optional[_Union[Decision, str]] = ..., movement: _Optional[_Union[Movement, str]] = ..., movement_cause: _Optional[_Union[MovementCause, str]] = ..., money: _Optional[_Union[MoneyState, str]] = ..., cancel: _Optional[_Union[CancelState, str]] = ..., state: _Optional[_Union[InterceptionState, str]] = ..., path: _Optional[_Union[Path, str]] = ..., fee: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cap: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., send_deadline: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evidence_by: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., promised_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., refused_reason: _Optional[str] = ..., refused_messages: _Optional[_Iterable[_Union[_error_details_pb2.LocalizedMessage, _Mapping]]] = ..., carrier_code: _Optional[str] = ..., carrier_reference: _Optional[str] = ..., assumed: _Optional[bool] = ..., quote_id: _Optional[str] = ..., request_id: _Optional[str] = ..., cancel_ticket: _Optional[str] = ..., reason: _Optional[str] = ..., refund_advice: _Optional[_Union[RefundAdvice, str]] = ..., agreement_id: _Optional[str] = ..., version: _Optional[int] = ..., open_exception_count: _Optional[int] = ..., claim_ids: _Optional[_Iterable[str]] = ..., quoted_status: _Optional[_Union[_types_pb2.LogisticsStatus, str]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("cursor", "interception_id", "seq", "column", "from_value", "to_value", "evidence", "actor", "cause", "at", "note")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    FROM_VALUE_FIELD_NUMBER: _ClassVar[int]
    TO_VALUE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    interception_id: str
    seq: int
    column: EventColumn
    from_value: str
    to_value: str
    evidence: _types_pb2.Evidence
    actor: str
    cause: str
    at: _timestamp_pb2.Timestamp
    note: str
    def __init__(self, cursor: _Optional[str] = ..., interception_id: _Optional[str] = ..., seq: _Optional[int] = ..., column: _Optional[_Union[EventColumn, str]] = ..., from_value: _Optional[str] = ..., to_value: _Optional[str] = ..., evidence: _Optional[_Union[_types_pb2.Evidence, _Mapping]] = ..., actor: _Optional[str] = ..., cause: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...
