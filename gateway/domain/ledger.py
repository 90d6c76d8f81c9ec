"""The ledger: append-only, double entry. A transfer is one row with both of its accounts.

The amount leaves `source` and arrives at `target`, so a transfer sums to zero by construction.
Balances are cached only where a CHECK needs them: AVAILABLE and HELD of a merchant.
"""

from enum import StrEnum, auto
from typing import ClassVar

from gateway.domain.book import Book
from gateway.domain.named import Named
from gateway.domain.record import Record, replace


class AccountKind(Named):
    AVAILABLE = auto()  # of a merchant
    HELD = auto()  # of a merchant
    AWARDED = auto()  # of a merchant: decided, not yet paid out
    FEES_PAYABLE = auto()  # to a carrier
    CLAIMS_RECEIVABLE = auto()  # from a carrier
    PLATFORM = auto()
    SUSPENSE = auto()
    OUTSIDE = auto()


A = AccountKind
CACHED = frozenset({A.AVAILABLE, A.HELD})


class TransferKind(StrEnum):
    TOP_UP = auto()
    WITHDRAW = auto()
    HOLD = auto()
    CAPTURE = auto()
    RELEASE = auto()
    REFUND = auto()
    AWARD = auto()
    PAYOUT = auto()  # an award paid to the wallet
    SETTLE_OFFLINE = auto()  # an award the carrier paid to the merchant
    STATEMENT_FEE = auto()  # what the carrier bills, or takes back of a credit
    STATEMENT_CREDIT = auto()
    STATEMENT_CLAIM = auto()
    STATEMENT_CLAIM_BACK = auto()  # a correction takes a payment back
    STATEMENT_UNMATCHED = auto()  # billed for what nobody knows
    STATEMENT_UNMATCHED_CREDIT = auto()


K = TransferKind
MOVES: dict[TransferKind, tuple[AccountKind, AccountKind]] = {
    K.TOP_UP: (A.OUTSIDE, A.AVAILABLE),
    K.WITHDRAW: (A.AVAILABLE, A.OUTSIDE),
    K.HOLD: (A.AVAILABLE, A.HELD),
    K.CAPTURE: (A.HELD, A.FEES_PAYABLE),
    K.RELEASE: (A.HELD, A.AVAILABLE),
    K.REFUND: (A.FEES_PAYABLE, A.AVAILABLE),
    K.AWARD: (A.CLAIMS_RECEIVABLE, A.AWARDED),
    K.PAYOUT: (A.AWARDED, A.AVAILABLE),
    K.SETTLE_OFFLINE: (A.AWARDED, A.CLAIMS_RECEIVABLE),
    K.STATEMENT_FEE: (A.FEES_PAYABLE, A.OUTSIDE),
    K.STATEMENT_CREDIT: (A.OUTSIDE, A.FEES_PAYABLE),
    K.STATEMENT_CLAIM: (A.OUTSIDE, A.CLAIMS_RECEIVABLE),
    K.STATEMENT_CLAIM_BACK: (A.CLAIMS_RECEIVABLE, A.OUTSIDE),
    K.STATEMENT_UNMATCHED: (A.SUSPENSE, A.OUTSIDE),
    K.STATEMENT_UNMATCHED_CREDIT: (A.OUTSIDE, A.SUSPENSE),
}
OF_MERCHANT = frozenset({A.AVAILABLE, A.HELD, A.AWARDED})
OF_CARRIER = frozenset({A.FEES_PAYABLE, A.CLAIMS_RECEIVABLE})


class Account(Record, frozen=True):
    PARENT: ClassVar[str] = ""
    id: str  # KIND:owner:currency
    kind: AccountKind
    owner: str  # merchant id, channel, or "" for our own
    currency: str
    balance: int | None  # cached for AVAILABLE and HELD; None where the entries are the balance


class Transfer(Record, frozen=True):
    PARENT: ClassVar[str] = ""
    id: str
    kind: TransferKind
    source: str
    target: str
    amount: int
    currency: str
    interception: str | None
    award: str | None
    dedup: str  # unique: the same cause never moves money twice
    actor: str
    cause: str
    at: int


def account_id(kind: AccountKind, owner: str, currency: str) -> str:
    return f"{kind}:{owner}:{currency}"


def wallet_ids(merchant: str, currency: str) -> tuple[str, str]:
    return account_id(A.AVAILABLE, merchant, currency), account_id(A.HELD, merchant, currency)


def available(book: Book, merchant: str, currency: str) -> int:
    account = book.get(Account, account_id(A.AVAILABLE, merchant, currency))
    return account.balance or 0 if account else 0


class Move(Record, frozen=True, kw_only=True):
    """What is to be moved, and why. `dedup` is the cause's own key."""

    kind: TransferKind
    amount: int
    currency: str
    merchant: str
    channel: str = ""
    interception: str | None = None
    award: str | None = None
    dedup: str
    actor: str
    cause: str


def moved(book: Book, dedup: str) -> Transfer | None:
    """The transfer this cause has made already."""
    return next((row for row in book.all(Transfer) if row.dedup == dedup), None)


def post(book: Book, move: Move, transfer_id: str, now: int) -> Transfer:
    """Write the transfer and the cached balances. The caller has decided that it may.

    Raises ValueError where it may not after all: a bug, and the batch is rolled back.
    """
    if type(move.amount) is not int or move.amount <= 0:
        raise ValueError("a transfer moves a positive whole number of minor units")
    source, target = (_account(book, kind, move) for kind in MOVES[move.kind])
    for account, change in ((source, -move.amount), (target, move.amount)):
        if account.balance is not None:
            if account.balance + change < 0:
                raise ValueError(f"{account.kind} would fall below zero")
            book.put(replace(account, balance=account.balance + change))
    return book.put(
        Transfer(
            id=transfer_id,
            kind=move.kind,
            source=source.id,
            target=target.id,
            amount=move.amount,
            currency=move.currency,
            interception=move.interception,
            award=move.award,
            dedup=move.dedup,
            actor=move.actor,
            cause=move.cause,
            at=now,
        )
    )


def _account(book: Book, kind: AccountKind, move: Move) -> Account:
    owner = move.merchant if kind in OF_MERCHANT else move.channel if kind in OF_CARRIER else ""
    key = account_id(kind, owner, move.currency)
    found = book.get(Account, key)
    if found is not None:
        return found
    balance = 0 if kind in CACHED else None
    return book.put(Account(key, kind, owner, move.currency, balance))
