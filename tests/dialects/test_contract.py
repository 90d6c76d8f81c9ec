"""One contract for every adapter against its carrier's dialect: a carrier brings nothing for it.

`-k <name>` runs one carrier. What is wrong is said in words, all of it at once.
"""

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects import checks
from tests.dialects.bench import CARRIERS, EVERY, bench

each = pytest.mark.parametrize("carrier", CARRIERS)
each_operation = pytest.mark.parametrize(
    ("carrier", "name"), EVERY, ids=[f"{carrier}-{name}" for carrier, name in EVERY]
)
HOSTILE = (
    *("*", "~", "+", "%", "%2B", "&a=b", "=", "<b>", "]]>", '"', "'", "\\", "\\n", "{}", "[1]"),
    *("\u2028", "\u0000", "\n", "\r\n", "\t", "\u00a0", "\u200b", "\ufeff", "\U0001f4e6", "a b"),
    *("中 文", "é", "e\u0301", "?#", "/../", ";", "null", "true", "1e400", "$", "^_", "\u007f"),
)
hostile = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.characters(exclude_categories=["Cs"])), max_size=6
).map("".join)


def nothing(wrong: Iterator[str]) -> None:
    found = list(wrong)
    assert not found, "\n".join(found[:20])


# --- 1. both ends speak of the same thing ---------------------------------------------------


@each_operation
def test_every_operation_is_understood(carrier: str, name: str) -> None:
    nothing(checks.every_operation_is_understood(partial(bench, carrier), name))


@each_operation
def test_nobodys_parcel_is_never_a_success(carrier: str, name: str) -> None:
    nothing(checks.nobodys_parcel_is_never_a_success(partial(bench, carrier), name))


@each_operation
def test_anothers_parcel_is_neither_told_nor_touched(carrier: str, name: str) -> None:
    nothing(checks.anothers_parcel_is_nobodys(partial(bench, carrier), name))


@each
def test_the_probe_is_nobodys_parcel(carrier: str) -> None:
    nothing(checks.the_probe_is_nobodys_parcel(partial(bench, carrier)))


# --- 2. signatures --------------------------------------------------------------------------


@each
def test_a_changed_byte_is_refused_and_not_laid_to_the_parcel(carrier: str) -> None:
    nothing(checks.a_changed_byte_is_refused(partial(bench, carrier)))


@each_operation
def test_a_wrong_secret_is_refused_and_not_laid_to_the_parcel(carrier: str, name: str) -> None:
    nothing(checks.a_wrong_secret_is_refused(partial(bench, carrier), name))


@each
def test_a_token_is_fetched_and_ends(carrier: str) -> None:
    nothing(checks.a_token_is_fetched_and_ends(partial(bench, carrier)))


# --- 4. again -------------------------------------------------------------------------------


@each
def test_the_same_again_has_one_effect(carrier: str) -> None:
    nothing(checks.the_same_again_has_one_effect(partial(bench, carrier)))


@each
def test_what_is_done_twice_is_seen_twice(carrier: str) -> None:
    nothing(checks.what_is_done_twice_is_seen_twice(partial(bench, carrier)))


# --- 5. hostile text ------------------------------------------------------------------------


@each_operation
@settings(deadline=None, max_examples=60)
@given(data=st.data(), text=hostile)
def test_text_is_carried_or_refused(
    carrier: str, name: str, data: st.DataObject, text: str
) -> None:
    made = bench(carrier)
    slot = data.draw(st.sampled_from(sorted(checks.slots(made, name)) or [""]))
    if slot:
        nothing(checks.text_is_carried_or_refused(made, name, slot, text))


@each_operation
def test_known_bad_text_is_carried_or_refused_in_every_place(carrier: str, name: str) -> None:
    made = bench(carrier)
    for slot in checks.slots(made, name):
        for text in HOSTILE:
            nothing(checks.text_is_carried_or_refused(made, name, slot, f"甲{text}z"))


# --- 7. codes -------------------------------------------------------------------------------


@each
def test_every_code_is_listed(carrier: str) -> None:
    nothing(checks.every_code_is_listed(partial(bench, carrier)))


@each
def test_each_refusal_has_its_reason(carrier: str) -> None:
    nothing(checks.each_refusal_has_its_reason(partial(bench, carrier)))


# --- 8. busy, and answers about another parcel ----------------------------------------------


@each_operation
def test_busy_is_busy(carrier: str, name: str) -> None:
    nothing(checks.busy_is_busy(partial(bench, carrier), name))


@each_operation
def test_an_answer_about_another_parcel_is_discarded(carrier: str, name: str) -> None:
    nothing(checks.an_answer_about_another_parcel_is_discarded(partial(bench, carrier), name))
