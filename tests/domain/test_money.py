"""Money is exact or an error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.money import EXPONENTS, MINOR_MAX, NANOS, Money

PARSED = [
    ("12.50", "CNY", 1_250),
    ("0.01", "CNY", 1),
    ("-0.01", "CNY", -1),
    ("8", "CNY", 800),
    ("8.5", "CNY", 850),
    ("8.500", "CNY", 850),  # nothing finer than a fen in it
    ("0", "JPY", 0),
    ("120", "JPY", 120),
    ("120.0", "JPY", 120),
    ("92233720368547758.07", "CNY", MINOR_MAX),
]
UNREADABLE = [
    *("", " ", "1 ", " 1", "+1", "--1", "1.", ".5", "1e3", "1,000", "0x10", "NaN", "Infinity"),
    *("１２", "1.2.3", "1_0", "1\n", "9" * 19, "0.0000000001"),
]


@pytest.mark.parametrize(("text", "currency", "minor"), PARSED)
def test_an_amount_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_not_an_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|finer"):
        Money.parse(text, "CNY")


@pytest.mark.parametrize(("text", "currency"), [("0.001", "CNY"), ("0.005", "CNY"), ("0.5", "JPY")])
def test_finer_than_the_minor_unit_is_refused_and_never_rounded(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="finer than the minor unit"):
        Money.parse(text, currency)


@pytest.mark.parametrize("minor", [True, 1.0, "1", None])
def test_an_amount_is_a_whole_number_and_nothing_like_one(minor: object) -> None:
    with pytest.raises(ValueError, match="whole number"):
        Money(minor, "CNY")  # type: ignore[arg-type]


def test_an_amount_fits_one_column() -> None:
    assert Money(MINOR_MAX, "CNY").minor == MINOR_MAX
    for minor in (MINOR_MAX + 1, -MINOR_MAX - 1):
        with pytest.raises(ValueError, match="64 bits"):
            Money(minor, "CNY")
    with pytest.raises(ValueError, match="64 bits"):
        Money.parse("92233720368547758.08", "CNY")


def test_two_currencies_do_not_add_and_an_unknown_one_is_refused() -> None:
    assert Money(1, "CNY") + Money(2, "CNY") == Money(3, "CNY")
    with pytest.raises(ValueError, match="two currencies"):
        Money(1, "CNY") + Money(1, "USD")
    for refused in ("ABC", "cny", ""):
        with pytest.raises(ValueError, match=r"currency|amount"):
            Money(1, refused)
        with pytest.raises(ValueError, match=r"currency|amount"):
            Money.parse("1", refused)
        with pytest.raises(ValueError, match=r"currency|amount"):
            Money.of_units(1, 0, refused)


UNITS = [
    (12, 500_000_000, "CNY", 1_250),
    (0, 10_000_000, "CNY", 1),
    (0, -10_000_000, "CNY", -1),
    (-3, -50_000_000, "CNY", -305),
    (5, 0, "JPY", 5),
]
DISAGREE = [(1, -1), (-1, 1), (0, NANOS), (0, -NANOS), (0, 1), (0, 5_000_000), (1, 9_999_999)]


@pytest.mark.parametrize(("units", "nanos", "currency", "minor"), UNITS)
def test_units_and_nanos_are_exact(units: int, nanos: int, currency: str, minor: int) -> None:
    assert Money.of_units(units, nanos, currency) == Money(minor, currency)
    assert Money(minor, currency).units() == (units, nanos)


@pytest.mark.parametrize(("units", "nanos"), DISAGREE)
def test_units_and_nanos_that_are_not_exact_are_refused(units: int, nanos: int) -> None:
    with pytest.raises(ValueError, match=r"disagree|finer"):
        Money.of_units(units, nanos, "CNY")


amounts = st.builds(Money, st.integers(-MINOR_MAX, MINOR_MAX), st.sampled_from(sorted(EXPONENTS)))


@settings(derandomize=True, database=None)
@given(amount=amounts)
def test_an_amount_survives_the_wire(amount: Money) -> None:
    units, nanos = amount.units()
    assert Money.of_units(units, nanos, amount.currency) == amount


@settings(derandomize=True, database=None)
@given(amount=amounts.filter(lambda amount: abs(amount.minor) < 10**18))
def test_an_amount_survives_the_page(amount: Money) -> None:
    text, currency = str(amount).split()
    assert Money.parse(text, currency) == amount


@settings(derandomize=True, database=None)
@given(units=st.integers(-(10**15), 10**15), nanos=st.integers(-(NANOS - 1), NANOS - 1))
def test_any_units_and_nanos_are_exact_or_refused(units: int, nanos: int) -> None:
    try:
        amount = Money.of_units(units, nanos, "CNY")
    except ValueError:
        return
    assert amount.units() == (units, nanos)


@settings(derandomize=True, database=None)
@given(text=st.text(max_size=24))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        amount = Money.parse(text, "CNY")
    except ValueError:
        return
    assert Money.parse(str(amount).split()[0], "CNY") == amount
