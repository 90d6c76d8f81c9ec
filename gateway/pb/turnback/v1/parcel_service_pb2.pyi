from google.rpc import status_pb2 as _status_pb2
from gateway.pb.turnback.v1 import options_pb2 as _options_pb2
from gateway.pb.turnback.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ParcelServiceRegisterRequest(_message.Message):
    __slots__ = ("request_id", "parcel")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PARCEL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    parcel: _types_pb2.ParcelRegistration
    def __init__(self, request_id: _Optional[str] = ..., parcel: _Optional[_Union[_types_pb2.ParcelRegistration, _Mapping]] = ...) -> None: ...

class ParcelServiceRegisterResponse(_message.Message):
    __slots__ = ("parcel", "replayed")
    PARCEL_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    parcel: _types_pb2.Parcel
    replayed: bool
    def __init__(self, parcel: _Optional[_Union[_types_pb2.Parcel, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class ParcelServiceBatchRegisterRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ParcelServiceRegisterRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[ParcelServiceRegisterRequest, _Mapping]]] = ...) -> None: ...

class ParcelServiceBatchRegisterResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ParcelResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ParcelResult, _Mapping]]] = ...) -> None: ...

class ParcelResult(_message.Message):
    __slots__ = ("registered", "error")
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    registered: ParcelServiceRegisterResponse
    error: _status_pb2.Status
    def __init__(self, registered: _Optional[_Union[ParcelServiceRegisterResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ParcelServiceGetRequest(_message.Message):
    __slots__ = ("parcel_id", "waybill")
    PARCEL_ID_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    parcel_id: str
    waybill: ParcelKey
    def __init__(self, parcel_id: _Optional[str] = ..., waybill: _Optional[_Union[ParcelKey, _Mapping]] = ...) -> None: ...

class ParcelKey(_message.Message):
    __slots__ = ("carrier", "waybill", "channel_code")
    CARRIER_FIELD_NUMBER: _ClassVar[int]
    WAYBILL_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_CODE_FIELD_NUMBER: _ClassVar[int]
    carrier: str
    waybill: str
    channel_code: str
    def __init__(self, carrier: _Optional[str] = ..., waybill: _Optional[str] = ..., channel_code: _Optional[str] = ...) -> None: ...

class ParcelServiceGetResponse(_message.Message):
    __slots__ = ("parcel",)
    PARCEL_FIELD_NUMBER: _ClassVar[int]
    parcel: _types_pb2.Parcel
    def __init__(self, parcel: _Optional[_Union[_types_pb2.Parcel, _Mapping]] = ...) -> None: ...
