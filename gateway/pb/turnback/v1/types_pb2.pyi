import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import error_details_pb2 as _error_details_pb2
from google.type import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_UNSPECIFIED: _ClassVar[Action]
    ACTION_RETURN: _ClassVar[Action]
    ACTION_REDIRECT: _ClassVar[Action]

class LogisticsStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOGISTICS_STATUS_UNSPECIFIED: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_NOT_PICKED_UP: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_PICKED_UP: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_IN_TRANSIT: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_AT_DESTINATION: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_OUT_FOR_DELIVERY: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_DELIVERED: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_RETURNING: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_ENDED: _ClassVar[LogisticsStatus]
    LOGISTICS_STATUS_UNKNOWN: _ClassVar[LogisticsStatus]

class Grade(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRADE_UNSPECIFIED: _ClassVar[Grade]
    GRADE_DOCUMENTED: _ClassVar[Grade]
    GRADE_SEEN: _ClassVar[Grade]
    GRADE_ASSUMED: _ClassVar[Grade]

class EvidenceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_KIND_UNSPECIFIED: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_REPLY: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_PUSH: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_QUERY: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_TRACKING: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_CANCEL: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_STATEMENT: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_PERSON: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_CLAIM_ANSWER: _ClassVar[EvidenceKind]

class EvidenceTier(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_TIER_UNSPECIFIED: _ClassVar[EvidenceTier]
    EVIDENCE_TIER_T1: _ClassVar[EvidenceTier]
    EVIDENCE_TIER_T2: _ClassVar[EvidenceTier]
    EVIDENCE_TIER_T3: _ClassVar[EvidenceTier]

class Milestone(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MILESTONE_UNSPECIFIED: _ClassVar[Milestone]
    MILESTONE_ORDERED: _ClassVar[Milestone]
    MILESTONE_PICKED_UP: _ClassVar[Milestone]
    MILESTONE_IN_TRANSIT: _ClassVar[Milestone]
    MILESTONE_AT_DESTINATION: _ClassVar[Milestone]
    MILESTONE_OUT_FOR_DELIVERY: _ClassVar[Milestone]
    MILESTONE_NOT_DELIVERED: _ClassVar[Milestone]
    MILESTONE_ADDRESSEE_REFUSED: _ClassVar[Milestone]
    MILESTONE_SIGNED: _ClassVar[Milestone]
    MILESTONE_RETURNING: _ClassVar[Milestone]
    MILESTONE_RETURN_SIGNED: _ClassVar[Milestone]
    MILESTONE_RETURN_REFUSED: _ClassVar[Milestone]
    MILESTONE_CANCELLED: _ClassVar[Milestone]
    MILESTONE_LOST: _ClassVar[Milestone]
    MILESTONE_FOUND: _ClassVar[Milestone]
    MILESTONE_DAMAGED: _ClassVar[Milestone]
    MILESTONE_OTHER: _ClassVar[Milestone]

class IncidentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INCIDENT_KIND_UNSPECIFIED: _ClassVar[IncidentKind]
    INCIDENT_KIND_LOST: _ClassVar[IncidentKind]
    INCIDENT_KIND_DAMAGED: _ClassVar[IncidentKind]
    INCIDENT_KIND_SHORTAGE: _ClassVar[IncidentKind]
    INCIDENT_KIND_FOUND: _ClassVar[IncidentKind]

class IncidentSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INCIDENT_SOURCE_UNSPECIFIED: _ClassVar[IncidentSource]
    INCIDENT_SOURCE_CARRIER: _ClassVar[IncidentSource]
    INCIDENT_SOURCE_MERCHANT: _ClassVar[IncidentSource]
    INCIDENT_SOURCE_OPERATOR: _ClassVar[IncidentSource]
ACTION_UNSPECIFIED: Action
ACTION_RETURN: Action
ACTION_REDIRECT: Action
LOGISTICS_STATUS_UNSPECIFIED: LogisticsStatus
LOGISTICS_STATUS_NOT_PICKED_UP: LogisticsStatus
LOGISTICS_STATUS_PICKED_UP: LogisticsStatus
LOGISTICS_STATUS_IN_TRANSIT: LogisticsStatus
LOGISTICS_STATUS_AT_DESTINATION: LogisticsStatus
LOGISTICS_STATUS_OUT_FOR_DELIVERY: LogisticsStatus
LOGISTICS_STATUS_DELIVERED: LogisticsStatus
LOGISTICS_STATUS_RETURNING: LogisticsStatus
LOGISTICS_STATUS_ENDED: LogisticsStatus
LOGISTICS_STATUS_UNKNOWN: LogisticsStatus
GRADE_UNSPECIFIED: Grade
GRADE_DOCUMENTED: Grade
GRADE_SEEN: Grade
GRADE_ASSUMED: Grade
EVIDENCE_KIND_UNSPECIFIED: EvidenceKind
EVIDENCE_KIND_REPLY: EvidenceKind
EVIDENCE_KIND_PUSH: EvidenceKind
EVIDENCE_KIND_QUERY: EvidenceKind
EVIDENCE_KIND_TRACKING: EvidenceKind
EVIDENCE_KIND_CANCEL: EvidenceKind
EVIDENCE_KIND_STATEMENT: EvidenceKind
EVIDENCE_KIND_PERSON: EvidenceKind
EVIDENCE_KIND_CLAIM_ANSWER: EvidenceKind
EVIDENCE_TIER_UNSPECIFIED: EvidenceTier
EVIDENCE_TIER_T1: EvidenceTier
EVIDENCE_TIER_T2: EvidenceTier
EVIDENCE_TIER_T3: EvidenceTier
MILESTONE_UNSPECIFIED: Milestone
MILESTONE_ORDERED: Milestone
MILESTONE_PICKED_UP: Milestone
MILESTONE_IN_TRANSIT: Milestone
MILESTONE_AT_DESTINATION: Milestone
MILESTONE_OUT_FOR_DELIVERY: Milestone
MILESTONE_NOT_DELIVERED: Milestone
MILESTONE_ADDRESSEE_REFUSED: Milestone
MILESTONE_SIGNED: Milestone
MILESTONE_RETURNING: Milestone
MILESTONE_RETURN_SIGNED: Milestone
MILESTONE_RETURN_REFUSED: Milestone
MILESTONE_CANCELLED: Milestone
MILESTONE_LOST: Milestone
MILESTONE_FOUND: Milestone
MILESTONE_DAMAGED: Milestone
MILESTONE_OTHER: Milestone
INCIDENT_KIND_UNSPECIFIED: IncidentKind
INCIDENT_KIND_LOST: IncidentKind
INCIDENT_KIND_DAMAGED: IncidentKind
INCIDENT_KIND_SHORTAGE: IncidentKind
INCIDENT_KIND_FOUND: IncidentKind
INCIDENT_SOURCE_UNSPECIFIED: IncidentSource
INCIDENT_SOURCE_CARRIER: IncidentSource
INCIDENT_SOURCE_MERCHANT: IncidentSource
INCIDENT_SOURCE_OPERATOR: IncidentSource

class Evidence(_message.Message):
    __slots__ = ("id", "kind", "tier")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: EvidenceKind
    tier: EvidenceTier
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[EvidenceKind, str]] = ..., tier: _Optional[_Union[EvidenceTier, str]] = ...) -> None: ...

class Proof(_message.Message):
    __slots__ = ("kind", "uri", "text", "sha256", "supplied_at")
    KIND_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SUPPLIED_AT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    uri: str
    text: str
    sha256: str
    supplied_at: _timestamp_pb2.Timestamp
    def __init__(self, kind: _Optional[str] = ..., uri: _Optional[str] = ..., text: _Optional[str] = ..., sha256: _Optional[str] = ..., supplied_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("reason", "subject", "messages")
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    reason: str
    subject: str
    messages: _containers.RepeatedCompositeFieldContainer[_error_details_pb2.LocalizedMessage]
    def __init__(self, reason: _Optional[str] = ..., subject: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_error_details_pb2.LocalizedMessage, _Mapping]]] = ...) -> None: ...

class Contact(_message.Message):
    __slots__ = ("name", "phone", "province", "city", "district", "street")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    PROVINCE_FIELD_NUMBER: _ClassVar[int]
    CITY_FIELD_NUMBER: _ClassVar[int]
    DISTRICT_FIELD_NUMBER: _ClassVar[int]
    STREET_FIELD_NUMBER: _ClassVar[int]
    name: str
    phone: str
    province: str
    city: str
    district: str
    street: str
    def __init__(self, name: _Optional[str] = ..., phone: _Optional[str] = ..., province: _Optional[str] = ..., city: _Optional[str] = ..., district: _Optional[str] = ..., street: _Optional[str] = ...) -> None: ...

class OrderLine(_message.Message):
    __slots__ = ("line_no", "title", "category", "quantity", "paid_amount", "declared_amount", "list_amount")
    LINE_NO_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PAID_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DECLARED_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    LIST_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    line_no: str
    title: str
    category: str
    quantity: int
    paid_amount: _money_pb2.Money
    declared_amount: _money_pb2.Money
    list_amount: _money_pb2.Money
    def __init__(self, line_no: _Optional[str] = ..., title: _Optional[str] = ..., category: _Optional[str] = ..., quantity: _Optional[int] = ..., paid_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., declared_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., list_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("order_no", "parcel_count", "lines", "cancelled")
    ORDER_NO_FIELD_NUMBER: _ClassVar[int]
    PARCEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    order_no: str
    parcel_count: int
    lines: _containers.RepeatedCompositeFieldContainer[OrderLine]
    cancelled: bool
    def __init__(self, order_no: _Optional[str] = ..., parcel_count: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[OrderLine, _Mapping]]] = ..., cancelled: _Optional[bool] = ...) -> None: ...

class ParcelRegistration(_message.Message):
    __slots__ = ("merchant_id", "carrier", "waybill", "account", "orders", "sender", "receiver", "declared_status", "channel_code", "shipped_at")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    DECLARED_STATUS_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_CODE_FIELD_NUMBER: _ClassVar[int]
    SHIPPED_AT_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    carrier: str
    waybill: str
    account: str
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    sender: Contact
    receiver: Contact
    declared_status: LogisticsStatus
    channel_code: str
    shipped_at: _timestamp_pb2.Timestamp
    def __init__(self, merchant_id: _Optional[str] = ..., carrier: _Optional[str] = ..., waybill: _Optional[str] = ..., account: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ..., sender: _Optional[_Union[Contact, _Mapping]] = ..., receiver: _Optional[_Union[Contact, _Mapping]] = ..., declared_status: _Optional[_Union[LogisticsStatus, str]] = ..., channel_code: _Optional[str] = ..., shipped_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Scan(_message.Message):
    __slots__ = ("waybill", "milestone", "code", "event_time", "time_assumed", "received_at", "place", "evidence")
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    MILESTONE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_ASSUMED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    waybill: str
    milestone: Milestone
    code: str
    event_time: _timestamp_pb2.Timestamp
    time_assumed: bool
    received_at: _timestamp_pb2.Timestamp
    place: str
    evidence: Evidence
    def __init__(self, waybill: _Optional[str] = ..., milestone: _Optional[_Union[Milestone, str]] = ..., code: _Optional[str] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_assumed: _Optional[bool] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., place: _Optional[str] = ..., evidence: _Optional[_Union[Evidence, _Mapping]] = ...) -> None: ...

class Incident(_message.Message):
    __slots__ = ("id", "kind", "source", "at", "evidence", "note")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: IncidentKind
    source: IncidentSource
    at: _timestamp_pb2.Timestamp
    evidence: Evidence
    note: str
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[IncidentKind, str]] = ..., source: _Optional[_Union[IncidentSource, str]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evidence: _Optional[_Union[Evidence, _Mapping]] = ..., note: _Optional[str] = ...) -> None: ...

class Parcel(_message.Message):
    __slots__ = ("id", "merchant_id", "carrier", "network", "waybill", "epoch", "account", "orders", "status", "status_at", "status_declared", "declared_status", "aliases", "return_waybills", "scans", "incidents", "value", "cap", "cap_remaining", "open_interception_id", "registered_at", "shipped_at", "subscribed")
    ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STATUS_AT_FIELD_NUMBER: _ClassVar[int]
    STATUS_DECLARED_FIELD_NUMBER: _ClassVar[int]
    DECLARED_STATUS_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    RETURN_WAYBILLS_FIELD_NUMBER: _ClassVar[int]
    SCANS_FIELD_NUMBER: _ClassVar[int]
    INCIDENTS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    CAP_REMAINING_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    SHIPPED_AT_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBED_FIELD_NUMBER: _ClassVar[int]
    id: str
    merchant_id: str
    carrier: str
    network: str
    waybill: str
    epoch: int
    account: str
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    status: LogisticsStatus
    status_at: _timestamp_pb2.Timestamp
    status_declared: bool
    declared_status: LogisticsStatus
    aliases: _containers.RepeatedScalarFieldContainer[str]
    return_waybills: _containers.RepeatedScalarFieldContainer[str]
    scans: _containers.RepeatedCompositeFieldContainer[Scan]
    incidents: _containers.RepeatedCompositeFieldContainer[Incident]
    value: _money_pb2.Money
    cap: _money_pb2.Money
    cap_remaining: _money_pb2.Money
    open_interception_id: str
    registered_at: _timestamp_pb2.Timestamp
    shipped_at: _timestamp_pb2.Timestamp
    subscribed: bool
    def __init__(self, id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., carrier: _Optional[str] = ..., network: _Optional[str] = ..., waybill: _Optional[str] = ..., epoch: _Optional[int] = ..., account: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ..., status: _Optional[_Union[LogisticsStatus, str]] = ..., status_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status_declared: _Optional[bool] = ..., declared_status: _Optional[_Union[LogisticsStatus, str]] = ..., aliases: _Optional[_Iterable[str]] = ..., return_waybills: _Optional[_Iterable[str]] = ..., scans: _Optional[_Iterable[_Union[Scan, _Mapping]]] = ..., incidents: _Optional[_Iterable[_Union[Incident, _Mapping]]] = ..., value: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cap: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cap_remaining: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., open_interception_id: _Optional[str] = ..., registered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., shipped_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscribed: _Optional[bool] = ...) -> None: ...
