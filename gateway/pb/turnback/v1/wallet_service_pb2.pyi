import datetime

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

class Account(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_UNSPECIFIED: _ClassVar[Account]
    ACCOUNT_AVAILABLE: _ClassVar[Account]
    ACCOUNT_HELD: _ClassVar[Account]
    ACCOUNT_AWARDED: _ClassVar[Account]
    ACCOUNT_FEES_PAYABLE: _ClassVar[Account]
    ACCOUNT_CLAIMS_RECEIVABLE: _ClassVar[Account]
    ACCOUNT_SUSPENSE: _ClassVar[Account]
    ACCOUNT_PLATFORM: _ClassVar[Account]
    ACCOUNT_OUTSIDE: _ClassVar[Account]

class EntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTRY_KIND_UNSPECIFIED: _ClassVar[EntryKind]
    ENTRY_KIND_TOP_UP: _ClassVar[EntryKind]
    ENTRY_KIND_WITHDRAW: _ClassVar[EntryKind]
    ENTRY_KIND_HOLD: _ClassVar[EntryKind]
    ENTRY_KIND_CAPTURE: _ClassVar[EntryKind]
    ENTRY_KIND_RELEASE: _ClassVar[EntryKind]
    ENTRY_KIND_REFUND: _ClassVar[EntryKind]
    ENTRY_KIND_AWARD: _ClassVar[EntryKind]
    ENTRY_KIND_PAYOUT: _ClassVar[EntryKind]
    ENTRY_KIND_SETTLE_OFFLINE: _ClassVar[EntryKind]
    ENTRY_KIND_STATEMENT_FEE: _ClassVar[EntryKind]
    ENTRY_KIND_STATEMENT_CREDIT: _ClassVar[EntryKind]
    ENTRY_KIND_STATEMENT_CLAIM: _ClassVar[EntryKind]
    ENTRY_KIND_STATEMENT_UNMATCHED: _ClassVar[EntryKind]
    ENTRY_KIND_CORRECTION: _ClassVar[EntryKind]
ACCOUNT_UNSPECIFIED: Account
ACCOUNT_AVAILABLE: Account
ACCOUNT_HELD: Account
ACCOUNT_AWARDED: Account
ACCOUNT_FEES_PAYABLE: Account
ACCOUNT_CLAIMS_RECEIVABLE: Account
ACCOUNT_SUSPENSE: Account
ACCOUNT_PLATFORM: Account
ACCOUNT_OUTSIDE: Account
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_TOP_UP: EntryKind
ENTRY_KIND_WITHDRAW: EntryKind
ENTRY_KIND_HOLD: EntryKind
ENTRY_KIND_CAPTURE: EntryKind
ENTRY_KIND_RELEASE: EntryKind
ENTRY_KIND_REFUND: EntryKind
ENTRY_KIND_AWARD: EntryKind
ENTRY_KIND_PAYOUT: EntryKind
ENTRY_KIND_SETTLE_OFFLINE: EntryKind
ENTRY_KIND_STATEMENT_FEE: EntryKind
ENTRY_KIND_STATEMENT_CREDIT: EntryKind
ENTRY_KIND_STATEMENT_CLAIM: EntryKind
ENTRY_KIND_STATEMENT_UNMATCHED: EntryKind
ENTRY_KIND_CORRECTION: EntryKind

class Wallet(_message.Message):
    __slots__ = ("merchant_id", "currency", "open", "available", "held", "awarded", "password_set", "locked_until", "version")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    AWARDED_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_SET_FIELD_NUMBER: _ClassVar[int]
    LOCKED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    currency: str
    open: bool
    available: _money_pb2.Money
    held: _money_pb2.Money
    awarded: _money_pb2.Money
    password_set: bool
    locked_until: _timestamp_pb2.Timestamp
    version: int
    def __init__(self, merchant_id: _Optional[str] = ..., currency: _Optional[str] = ..., open: _Optional[bool] = ..., available: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., held: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., awarded: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., password_set: _Optional[bool] = ..., locked_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class LedgerEntry(_message.Message):
    __slots__ = ("transaction_id", "kind", "amount", "source", "target", "at", "interception_id", "claim_id", "award_id", "external_reference", "actor", "cause")
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    AWARD_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    transaction_id: str
    kind: EntryKind
    amount: _money_pb2.Money
    source: Account
    target: Account
    at: _timestamp_pb2.Timestamp
    interception_id: str
    claim_id: str
    award_id: str
    external_reference: str
    actor: str
    cause: str
    def __init__(self, transaction_id: _Optional[str] = ..., kind: _Optional[_Union[EntryKind, str]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., source: _Optional[_Union[Account, str]] = ..., target: _Optional[_Union[Account, str]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., interception_id: _Optional[str] = ..., claim_id: _Optional[str] = ..., award_id: _Optional[str] = ..., external_reference: _Optional[str] = ..., actor: _Optional[str] = ..., cause: _Optional[str] = ...) -> None: ...

class WalletServiceGetRequest(_message.Message):
    __slots__ = ("merchant_id",)
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    def __init__(self, merchant_id: _Optional[str] = ...) -> None: ...

class WalletServiceGetResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class WalletServiceAuthorizePaymentRequest(_message.Message):
    __slots__ = ("request_id", "merchant_id", "quote_id", "action", "password")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    QUOTE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    merchant_id: str
    quote_id: str
    action: _types_pb2.Action
    password: str
    def __init__(self, request_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., quote_id: _Optional[str] = ..., action: _Optional[_Union[_types_pb2.Action, str]] = ..., password: _Optional[str] = ...) -> None: ...

class WalletServiceAuthorizePaymentResponse(_message.Message):
    __slots__ = ("payment_token", "expires_at", "amount", "replayed")
    PAYMENT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    payment_token: str
    expires_at: _timestamp_pb2.Timestamp
    amount: _money_pb2.Money
    replayed: bool
    def __init__(self, payment_token: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class WalletServiceSetPasswordRequest(_message.Message):
    __slots__ = ("merchant_id", "current_password", "new_password")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENT_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    NEW_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    current_password: str
    new_password: str
    def __init__(self, merchant_id: _Optional[str] = ..., current_password: _Optional[str] = ..., new_password: _Optional[str] = ...) -> None: ...

class WalletServiceSetPasswordResponse(_message.Message):
    __slots__ = ("wallet",)
    WALLET_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ...) -> None: ...

class WalletServiceTopUpRequest(_message.Message):
    __slots__ = ("request_id", "merchant_id", "amount", "external_reference", "note")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    merchant_id: str
    amount: _money_pb2.Money
    external_reference: str
    note: str
    def __init__(self, request_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., external_reference: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class WalletServiceTopUpResponse(_message.Message):
    __slots__ = ("wallet", "entry", "replayed")
    WALLET_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    entry: LedgerEntry
    replayed: bool
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ..., entry: _Optional[_Union[LedgerEntry, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class WalletServiceWithdrawRequest(_message.Message):
    __slots__ = ("request_id", "merchant_id", "amount", "external_reference", "note")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    merchant_id: str
    amount: _money_pb2.Money
    external_reference: str
    note: str
    def __init__(self, request_id: _Optional[str] = ..., merchant_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., external_reference: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class WalletServiceWithdrawResponse(_message.Message):
    __slots__ = ("wallet", "entry", "replayed")
    WALLET_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    entry: LedgerEntry
    replayed: bool
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ..., entry: _Optional[_Union[LedgerEntry, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class WalletServiceListEntriesRequest(_message.Message):
    __slots__ = ("merchant_id", "interception_id", "claim_id", "kinds", "posted_from", "posted_to", "page_size", "page_token")
    MERCHANT_ID_FIELD_NUMBER: _ClassVar[int]
    INTERCEPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    POSTED_FROM_FIELD_NUMBER: _ClassVar[int]
    POSTED_TO_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    merchant_id: str
    interception_id: str
    claim_id: str
    kinds: _containers.RepeatedScalarFieldContainer[EntryKind]
    posted_from: _timestamp_pb2.Timestamp
    posted_to: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, merchant_id: _Optional[str] = ..., interception_id: _Optional[str] = ..., claim_id: _Optional[str] = ..., kinds: _Optional[_Iterable[_Union[EntryKind, str]]] = ..., posted_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., posted_to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class WalletServiceListEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[LedgerEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[LedgerEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
