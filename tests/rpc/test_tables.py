"""The tables behind checks and errors: whole, bounded, and in two languages."""

import re

import pytest
from google.protobuf.descriptor import Descriptor
from google.rpc import error_details_pb2 as details

from gateway.domain.refusal import TEXTS, Refusal, Why
from gateway.rpc import errors, fields
from gateway.rpc.server import FILES
from tests.generate import PACKAGE, PROTO
from tests.rpc.world import CHECKWORD, METHODS, NAMES, PHONE, Code, Record

KINDS = {
    Code.INVALID_ARGUMENT: set(),
    Code.ALREADY_EXISTS: set(),
    Code.FAILED_PRECONDITION: {"PreconditionFailure"},
    Code.NOT_FOUND: set(),
    Code.PERMISSION_DENIED: set(),
    Code.RESOURCE_EXHAUSTED: {"QuotaFailure", "RetryInfo"},
    Code.UNAVAILABLE: {"RetryInfo"},
    Code.ABORTED: set(),
}


def test_every_text_has_a_length_and_no_hidden_characters() -> None:
    """The rule of every string field of every request, found over the descriptors."""
    seen: set[str] = set()

    def walk(descriptor: Descriptor) -> None:
        if descriptor.full_name in seen or descriptor.full_name.startswith("google."):
            return
        seen.add(descriptor.full_name)
        for one in descriptor.fields:
            if one.type == one.TYPE_STRING:
                rule = fields.rule_of(descriptor, one)
                assert isinstance(rule, fields.Text), one.full_name
                assert 0 < rule.most <= 2_000, one.full_name
                assert list(rule.check("a\x00b", "x")), one.full_name
                assert list(rule.check("x" * (rule.most + 1), "x")), one.full_name
            elif one.message_type is not None:
                walk(one.message_type)

    for method in METHODS:
        walk(method.input_type)
    assert len(seen) > len(METHODS)


def test_the_tables_name_fields_that_exist() -> None:
    known: dict[str, set[str]] = {}
    for file in FILES:
        others = [d for d in file.dependencies if d.name.startswith("gateway/pb/turnback")]
        for one in (file, *others):
            for descriptor in one.message_types_by_name.values():
                known[descriptor.name] = {f.name for f in descriptor.fields} | {
                    o.name for o in descriptor.oneofs
                }
    for message, name in fields.PER_MESSAGE:
        assert name in known[message], (message, name)
    every = set().union(*known.values())
    assert set(fields.BY_NAME) <= every


@pytest.mark.parametrize("why", list(Why))
def test_every_refusal_has_its_details_and_words(why: Why) -> None:
    status = errors.refused((Refusal(why, detail="x", field="f", subject="s"),)).status()
    names = [packed.type_url.rsplit(".", 1)[-1] for packed in status.details]
    code = next(c for c in Code if c.value[0] == status.code)
    assert KINDS[code] <= set(names)
    assert names.count("LocalizedMessage") == 2
    assert names.count("ErrorInfo") == 1


def test_an_error_fits_into_metadata_however_much_is_wrong() -> None:
    unmet = tuple(Refusal(Why.CATEGORY_EXCLUDED, detail=f"{i}" * 60) for i in range(10, 60))
    assert len(errors.refused(unmet).status().SerializeToString()) < 5_000
    wrong = [(f"orders[{i}].lines[0].line_no", "needed") for i in range(500)]
    assert len(errors.invalid(wrong).status().SerializeToString()) < 5_000


def test_conditions_of_use_are_told_together() -> None:
    failure = errors.refused((Refusal(Why.BALANCE_LOW), Refusal(Why.CANCEL_ORDER_OFF)))
    assert (failure.code, failure.reason) == (Code.FAILED_PRECONDITION, "NOT_ELIGIBLE")
    (violations,) = failure.details
    assert isinstance(violations, details.PreconditionFailure)
    assert [v.type for v in violations.violations] == ["CANCEL_ORDER_OFF", "BALANCE_LOW"]
    said = failure.status().message
    assert said == "NOT_ELIGIBLE: The parcel cannot be intercepted: CANCEL_ORDER_OFF, BALANCE_LOW"


def test_the_domain_of_errors_is_the_one_that_is_published() -> None:
    text = (PROTO / PACKAGE / "reasons.proto").read_text("utf-8")
    assert re.findall(r'domain = "([^"]*)"', text) == [errors.DOMAIN]


def test_words_are_there_in_both_languages() -> None:
    assert set(TEXTS) == set(Why)
    assert all(text.zh and text.en for text in TEXTS.values())


@pytest.mark.parametrize("word", [PHONE, CHECKWORD, NAMES[1], "mall-tenant-token"])
def test_a_leak_would_be_found(word: str) -> None:
    for form in (word, ascii(word)):
        record = Record()
        record.lines.write(f'{{"event":"x","said":"to {form} from"}}'.encode())
        assert record.leaks() == {word}
        assert Record(said=[form.encode()]).leaks() == {word}
    assert Record().leaks() == set()
