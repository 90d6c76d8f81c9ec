"""What can be asked of a statement: whose, for which period, and what is to be wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, auto


class Mistake(StrEnum):
    FEE_UNKNOWN_WAYBILL = auto()
    FEE_NOT_BILLED = auto()
    FEE_DIFFERS = auto()
    FEE_BILLED_TWICE = auto()
    WRONG_CURRENCY = auto()
    FOREIGN_REFERENCE = auto()
    FEE_BILLED_THOUGH_REFUSED = auto()
    REFUND_NOT_CREDITED = auto()
    LATE_ACCEPTANCE_BILLED = auto()
    AWARD_UNDERPAID = auto()
    AWARD_UNPAID = auto()
    PAYMENT_WITHOUT_AWARD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be billed: an account's period, at a price, with these mistakes."""

    carrier: str
    account: str
    from_ms: int
    to_ms: int
    fee_minor: int
    currency: str = "CNY"
    seed: int = 0
    mistakes: Sequence[Mistake] = ()
