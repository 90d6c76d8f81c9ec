import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.type import money_pb2 as _money_pb2
from gateway.pb.turnback.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MerchantType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MERCHANT_TYPE_UNSPECIFIED: _ClassVar[MerchantType]
    MERCHANT_TYPE_POP_SOP: _ClassVar[MerchantType]
    MERCHANT_TYPE_POP_SOPL: _ClassVar[MerchantType]
    MERCHANT_TYPE_POP_FBP: _ClassVar[MerchantType]
    MERCHANT_TYPE_POP_LBP: _ClassVar[MerchantType]
    MERCHANT_TYPE_SELF_OPERATED: _ClassVar[MerchantType]
    MERCHANT_TYPE_OTHER: _ClassVar[MerchantType]

class StoreStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STORE_STATUS_UNSPECIFIED: _ClassVar[StoreStatus]
    STORE_STATUS_OPERATING: _ClassVar[StoreStatus]
    STORE_STATUS_SUSPENDED: _ClassVar[StoreStatus]
    STORE_STATUS_CLOSED: _ClassVar[StoreStatus]

class AgreementKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGREEMENT_KIND_UNSPECIFIED: _ClassVar[AgreementKind]
    AGREEMENT_KIND_SERVICE: _ClassVar[AgreementKind]
    AGREEMENT_KIND_PAYMENT: _ClassVar[AgreementKind]
MERCHANT_TYPE_UNSPECIFIED: MerchantType
MERCHANT_TYPE_POP_SOP: MerchantType
MERCHANT_TYPE_POP_SOPL: MerchantType
MERCHANT_TYPE_POP_FBP: MerchantType
MERCHANT_TYPE_POP_LBP: MerchantType
MERCHANT_TYPE_SELF_OPERATED: MerchantType
MERCHANT_TYPE_OTHER: MerchantType
STORE_STATUS_UNSPECIFIED: StoreStatus
STORE_STATUS_OPERATING: StoreStatus
STORE_STATUS_SUSPENDED: StoreStatus
STORE_STATUS_CLOSED: StoreStatus
AGREEMENT_KIND_UNSPECIFIED: AgreementKind
AGREEMENT_KIND_SERVICE: AgreementKind
AGREEMENT_KIND_PAYMENT: AgreementKind

class Agreement(_message.Message):
    __slots__ = ("agreement_id", "version", "kind", "signed_at", "signatory", "limit", "expires_at")
    AGREEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIGNED_AT_FIELD_NUMBER: _ClassVar[int]
    SIGNATORY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    agreement_id: str
    version: str
    kind: AgreementKind
    signed_at: _timestamp_pb2.Timestamp
    signatory: str
    limit: _money_pb2.Money
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, agreement_id: _Optional[str] = ..., version: _Optional[str] = ..., kind: _Optional[_Union[AgreementKind, str]] = ..., signed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., signatory: _Optional[str] = ..., limit: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WaybillService(_message.Message):
    __slots__ = ("carrier", "opened", "channel_code")
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_CODE_FIELD_NUMBER: _ClassVar[int]
    carrier: str
    opened: bool
    channel_code: str
    def __init__(self, carrier: _Optional[str] = ..., opened: _Optional[bool] = ..., channel_code: _Optional[str] = ...) -> None: ...

class Merchant(_message.Message):
    __slots__ = ("id", "title", "type", "cross_border", "cancel_order_enabled", "store_status", "service_contract_signed", "wallet_open", "wallet_currency", "agreements", "waybill_services", "payment_agreement_ids", "created_at", "updated_at", "version")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CROSS_BORDER_FIELD_NUMBER: _ClassVar[int]
    CANCEL_ORDER_ENABLED_FIELD_NUMBER: _ClassVar[int]
    STORE_STATUS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_CONTRACT_SIGNED_FIELD_NUMBER: _ClassVar[int]
    WALLET_OPEN_FIELD_NUMBER: _ClassVar[int]
    WALLET_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    AGREEMENTS_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_SERVICES_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_AGREEMENT_IDS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    type: MerchantType
    cross_border: bool
    cancel_order_enabled: bool
    store_status: StoreStatus
    service_contract_signed: bool
    wallet_open: bool
    wallet_currency: str
    agreements: _containers.RepeatedCompositeFieldContainer[Agreement]
    waybill_services: _containers.RepeatedCompositeFieldContainer[WaybillService]
    payment_agreement_ids: _containers.RepeatedScalarFieldContainer[str]
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ..., type: _Optional[_Union[MerchantType, str]] = ..., cross_border: _Optional[bool] = ..., cancel_order_enabled: _Optional[bool] = ..., store_status: _Optional[_Union[StoreStatus, str]] = ..., service_contract_signed: _Optional[bool] = ..., wallet_open: _Optional[bool] = ..., wallet_currency: _Optional[str] = ..., agreements: _Optional[_Iterable[_Union[Agreement, _Mapping]]] = ..., waybill_services: _Optional[_Iterable[_Union[WaybillService, _Mapping]]] = ..., payment_agreement_ids: _Optional[_Iterable[str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class MerchantServiceUpsertRequest(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class MerchantServiceUpsertResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class MerchantServiceGetRequest(_message.Message):
    __slots__ = ("merchant_id",)
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    def __init__(self, merchant_id: _Optional[str] = ...) -> None: ...

class MerchantServiceGetResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...

class MerchantServiceSignAgreementRequest(_message.Message):
    __slots__ = ("request_id", "merchant_id", "agreement_id", "version", "kind", "signatory", "password", "limit", "expires_at", "signed_at")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SIGNATORY_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_AT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    merchant_id: str
    agreement_id: str
    version: str
    kind: AgreementKind
    signatory: str
    password: str
    limit: _money_pb2.Money
    expires_at: _timestamp_pb2.Timestamp
    signed_at: _timestamp_pb2.Timestamp
    def __init__(self, request_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., agreement_id: _Optional[str] = ..., version: _Optional[str] = ..., kind: _Optional[_Union[AgreementKind, str]] = ..., signatory: _Optional[str] = ..., password: _Optional[str] = ..., limit: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., signed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MerchantServiceSignAgreementResponse(_message.Message):
    __slots__ = ("merchant", "replayed")
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    replayed: bool
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class MerchantServiceSetWaybillServiceRequest(_message.Message):
    __slots__ = ("merchant_id", "waybill_service")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_SERVICE_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    waybill_service: WaybillService
    def __init__(self, merchant_id: _Optional[str] = ..., waybill_service: _Optional[_Union[WaybillService, _Mapping]] = ...) -> None: ...

class MerchantServiceSetWaybillServiceResponse(_message.Message):
    __slots__ = ("merchant",)
    MERCHANT_FIELD_NUMBER: _ClassVar[int]
    merchant: Merchant
    def __init__(self, merchant: _Optional[_Union[Merchant, _Mapping]] = ...) -> None: ...
