"""Exact money: a whole number of minor units of one currency. No float ever enters this module."""

import re

from gateway.domain.record import Record

MINOR_MAX = 2**63 - 1  # one signed 64-bit column in either database
EXPONENTS = {"CNY": 2, "USD": 2, "EUR": 2, "GBP": 2, "HKD": 2, "JPY": 0, "KRW": 0}  # ISO 4217
DECIMAL = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,9}))?")
NANOS = 1_000_000_000  # google.type.Money counts the fraction in billionths of a unit


class Money(Record, frozen=True):
    """An amount: `minor` units (fen, cents) of an ISO 4217 currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise ValueError("an amount is a whole number of minor units")
        if abs(self.minor) > MINOR_MAX:
            raise ValueError("the amount does not fit 64 bits")
        if self.currency not in EXPONENTS:
            raise ValueError("the currency is not one we keep")

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError("amounts of two currencies do not add")
        return Money(self.minor + other.minor, self.currency)

    def __str__(self) -> str:
        exponent = EXPONENTS[self.currency]
        sign, digits = "-" * (self.minor < 0), str(abs(self.minor)).rjust(exponent + 1, "0")
        if not exponent:
            return f"{sign}{digits} {self.currency}"
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]} {self.currency}"

    @classmethod
    def parse(cls, text: str, currency: str) -> "Money":
        """Read "12.50". Raises ValueError for anything finer than the minor unit: never rounded."""
        found = DECIMAL.fullmatch(text)
        if not found or currency not in EXPONENTS:
            raise ValueError("not an amount")
        sign, whole, fraction = found[1], found[2], found[3] or ""
        exponent = EXPONENTS[currency]
        if fraction[exponent:].strip("0"):
            raise ValueError("finer than the minor unit")
        minor = int(whole + fraction[:exponent].ljust(exponent, "0"))
        return cls(-minor if sign else minor, currency)

    @classmethod
    def of_units(cls, units: int, nanos: int, currency: str) -> "Money":
        """From google.type.Money's fields. Raises ValueError where they are not exact."""
        if currency not in EXPONENTS:
            raise ValueError("the currency is not one we keep")
        if abs(nanos) >= NANOS or (units > 0 > nanos) or (units < 0 < nanos):
            raise ValueError("units and nanos disagree")
        scale = 10 ** EXPONENTS[currency]
        fraction, finer = divmod(abs(nanos) * scale, NANOS)
        if finer:
            raise ValueError("finer than the minor unit")
        return cls(units * scale + (-fraction if nanos < 0 else fraction), currency)

    def units(self) -> tuple[int, int]:
        """The fields of google.type.Money: (units, nanos), both of one sign."""
        scale = 10 ** EXPONENTS[self.currency]
        whole, part = divmod(abs(self.minor), scale)
        nanos = part * (NANOS // scale)
        return (-whole, -nanos) if self.minor < 0 else (whole, nanos)
