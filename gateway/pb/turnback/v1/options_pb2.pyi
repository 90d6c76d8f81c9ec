from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_TENANT: _ClassVar[Role]
    ROLE_TREASURY: _ClassVar[Role]
    ROLE_CLAIMS: _ClassVar[Role]
    ROLE_OPERATOR: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_TENANT: Role
ROLE_TREASURY: Role
ROLE_CLAIMS: Role
ROLE_OPERATOR: Role
ROLE_FIELD_NUMBER: _ClassVar[int]
role: _descriptor.FieldDescriptor
MOVES_MONEY_FIELD_NUMBER: _ClassVar[int]
moves_money: _descriptor.FieldDescriptor
