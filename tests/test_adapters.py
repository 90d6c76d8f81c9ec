"""One contract for every carrier: an adapter brings golden files and no test of its own."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields, replace

from adapters import ADAPTERS
from gateway.domain.carrier import (
    Action,
    Adapter,
    Answer,
    Call,
    Case,
    ClaimKind,
    Contact,
    Dedup,
    Operation,
    Order,
    Promise,
    Push,
    Pushes,
    Reason,
    Reply,
    Stamp,
    Tier,
    Token,
    Trace,
    Verdict,
    read,
    read_token,
)

ROOT = File(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
LINES_MAX = 250
PURE = {"ast", "base64", "binascii", "collections", "datetime", "decimal", "hashlib"}
PURE |= {"hmac", "json", "re", "types", "typing", "urllib", "xml", "defusedxml"}
OURS = {"adapters", "gateway.domain", "gateway.domain.carrier", "gateway.domain.record"}
OPERATIONS = tuple(
    name for name, hint in get_type_hints(Adapter).items() if "Operation" in str(hint)
)

Question = Order | Trace | Case


@dataclass(frozen=True)
class Golden:
    """One case of a golden file, and the operation it is about."""

    adapter: Adapter
    operation: str
    case: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.adapter.name}-{self.operation}-{self.case['case']}"

    def of(self) -> Operation[Any]:
        operation = getattr(self.adapter, self.operation)
        assert isinstance(operation, Operation)
        return operation


def account(adapter: Adapter) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / adapter.name / "account.json").read_text("utf-8"))
    return found


def keys(adapter: Adapter) -> dict[str, str]:
    """What the gateway hands to `sign` and `verify`: the credentials, and the settings beside."""
    known = account(adapter)
    return {**known.get("settings", {}), **known["credentials"]}


def golden(kind: str) -> list[Golden]:
    return [
        Golden(adapter, file.stem, case)
        for adapter in ADAPTERS.values()
        for file in sorted((GOLDEN / adapter.name).glob("*.json"))
        for case in json.loads(file.read_text("utf-8")).get(kind, ())
    ]


def operations(adapter: Adapter) -> Iterator[tuple[str, Operation[Any]]]:
    for name in OPERATIONS:
        operation = getattr(adapter, name)
        if operation is not None:
            yield name, operation


def question(words: Mapping[str, Any]) -> Question:
    known = dict(words)
    for person in ("sender", "receiver"):
        if person in known:
            known[person] = Contact(**known[person])
    if "waybills" in known:
        return Trace(**known | {"waybills": tuple(known["waybills"])})
    if "kind" in known:
        return Case(**known | {"kind": ClaimKind(known["kind"])})
    return Order(**known | {"action": Action(known.get("action", "return"))})


def asked(asking: Question) -> tuple[str, ...]:
    return asking.waybills if isinstance(asking, Trace) else (asking.waybill,)


def reply(case: Mapping[str, Any]) -> Reply:
    body = case["body"]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return Reply(case["status"], text.encode())


def told(value: Any) -> dict[str, Any]:
    """A frozen value as golden files write it: what differs from the defaults."""
    return {
        field.name: [told(each) for each in found] if field.name == "scans" else plain(found)
        for field in fields(value)
        if (found := getattr(value, field.name)) != field.default
    }


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def asking(adapter: Adapter, operation: str) -> Question:
    mine = (each for each in REQUESTS if each.adapter is adapter and each.operation == operation)
    return question(next(mine).case["question"])


REQUESTS, REPLIES, PUSHES = golden("requests"), golden("replies"), golden("pushes")
each = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=list(ADAPTERS))
EVERY = [(adapter, name) for adapter in ADAPTERS.values() for name, _ in operations(adapter)]
each_pushing = pytest.mark.parametrize(
    "adapter",
    [adapter for adapter in ADAPTERS.values() if adapter.push is not None],
    ids=[name for name, adapter in ADAPTERS.items() if adapter.push is not None],
)
each_operation = pytest.mark.parametrize(
    ("adapter", "name"), EVERY, ids=[f"{adapter.name}-{name}" for adapter, name in EVERY]
)
unhurried = settings(deadline=None)  # a slow machine is no failure
each_push = pytest.mark.parametrize("golden", PUSHES, ids=str)


LENT = {"access_token": "synthetic-token"}  # what a carrier with tokens is shown


def signed(adapter: Adapter, call: Call, extra: Mapping[str, str] | None = None) -> Call:
    known, lent = account(adapter), LENT if adapter.token is not None else {}
    held = keys(adapter) | lent | known.get("lent", {}) | (extra or {})
    return adapter.sign(call, held, Stamp(**known["stamp"]))


POISON = [
    b"",
    b"null",
    b"[]",
    b"0",
    b'"yes"',
    b"{}",
    b"\xff\xfe{}",
    b'{"status":true,"status":false,"statusCode":"SYS000"}',
    b'{"status":NaN}',
    b'{"status":1e400}',
    b'{"a":' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b"\x1f\x8b\x08\x00\x00\x00",
    b"<html><body>502 Bad Gateway</body></html>",
    b'{"success":true,"statusMsg":"Success"}',
]
GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(POISON),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)

# --- golden pairs ---------------------------------------------------------------------------


@pytest.mark.parametrize("golden", REQUESTS, ids=str)
def test_a_question_becomes_exactly_this_request(golden: Golden) -> None:
    call = golden.of().encode(question(golden.case["question"]))
    sent = signed(golden.adapter, call, golden.case.get("account"))
    assert {
        "method": sent.method,
        "path": sent.path,
        "headers": dict(sent.headers),
        "body": sent.body.decode(),
    } == golden.case["call"]


@pytest.mark.parametrize("golden", REPLIES, ids=str)
def test_a_reply_means_exactly_this_answer(golden: Golden) -> None:
    parcels = asked(asking(golden.adapter, golden.operation))
    answer = read(golden.of(), reply(golden.case), parcels)
    assert told(answer) == golden.case["answer"]


@each
def test_every_listed_code_has_a_golden_reply(adapter: Adapter) -> None:
    shown = {
        label
        for golden in REPLIES
        if golden.adapter is adapter and (code := golden.case["answer"].get("code"))
        for label in (f"{golden.operation} {code}", f"platform {code}")
    }
    assert set(adapter.codes) - shown == set()


@each_operation
def test_every_operation_has_golden_pairs(adapter: Adapter, name: str) -> None:
    assert any(g.adapter is adapter and g.operation == name for g in REQUESTS)
    assert any(g.adapter is adapter and g.operation == name for g in REPLIES)


# --- tokens ---------------------------------------------------------------------------------


LENDING = [adapter for adapter in ADAPTERS.values() if adapter.token is not None]
each_lending = pytest.mark.parametrize("adapter", LENDING, ids=lambda adapter: adapter.name)
TOKEN_REQUESTS, TOKEN_REPLIES = golden("token_requests"), golden("token_replies")


@each_lending
def test_a_token_has_golden_pairs(adapter: Adapter) -> None:
    assert any(golden.adapter is adapter for golden in TOKEN_REQUESTS)
    assert any(golden.adapter is adapter and "token" in golden.case for golden in TOKEN_REPLIES)


@pytest.mark.parametrize("golden", TOKEN_REQUESTS, ids=str)
def test_a_token_is_asked_for_exactly_so(golden: Golden) -> None:
    adapter = golden.adapter
    assert adapter.token is not None
    known = account(adapter)
    call = adapter.token.encode(known["credentials"])
    sent = adapter.sign(call, known["credentials"], Stamp(**known["stamp"]))
    assert {
        "method": sent.method,
        "path": sent.path,
        "headers": dict(sent.headers),
        "body": sent.body.decode(),
        "site": sent.site,
    } == golden.case["call"]
    assert sent.site == "" or sent.site in adapter.sites
    assert [secret for secret in known["credentials"].values() if secret in repr(sent)] == []


@pytest.mark.parametrize("golden", TOKEN_REPLIES, ids=str)
def test_a_token_is_lent_or_refused(golden: Golden) -> None:
    tokens = golden.adapter.token
    assert tokens is not None
    answer = read_token(tokens, reply(golden.case))
    if isinstance(answer, Token):
        assert {"text": answer.text, "valid_ms": answer.valid_ms} == golden.case["token"]
        assert answer.text not in repr(answer)
    else:
        assert told(answer) == golden.case["answer"]


@each_lending
@unhurried
@given(body=GARBAGE, status=st.integers(100, 599))
def test_garbage_is_no_token(adapter: Adapter, body: bytes, status: int) -> None:
    assert adapter.token is not None
    answer = read_token(adapter.token, Reply(status, body))
    assert isinstance(answer, Answer)
    assert answer.verdict is Verdict.UNKNOWN


# --- requests -------------------------------------------------------------------------------


@each_operation
def test_encoding_and_signing_are_functions(adapter: Adapter, name: str) -> None:
    encode = getattr(adapter, name).encode
    calls = [signed(adapter, encode(asking(adapter, name))) for _ in range(2)]
    assert calls[0] == calls[1]
    assert calls[0].method in {"POST", "GET"}
    assert re.fullmatch(r"/[\w./-]+(\?[\w.%&=+*-]+)?", calls[0].path)
    assert calls[0].body or calls[0].method == "GET"


@each
def test_the_idempotency_reference_is_on_the_wire(adapter: Adapter) -> None:
    order = asking(adapter, "intercept")
    assert isinstance(order, Order)
    one, two = (adapter.intercept.encode(replace(order, key=key)) for key in ("itc_x", "itc_y"))
    if adapter.dedup.value is Dedup.REFERENCE:
        assert b"itc_x" in one.body
        assert b"itc_x" not in two.body
        assert adapter.intercept.repeatable
    else:
        assert not adapter.intercept.repeatable or adapter.dedup.value is Dedup.WAYBILL


@each_operation
def test_no_secret_and_no_person_shows_in_a_repr(adapter: Adapter, name: str) -> None:
    asking_ = asking(adapter, name)
    call = signed(adapter, getattr(adapter, name).encode(asking_))
    shown = repr(asking_) + repr(call) + repr(Reply(200, call.body, call.headers))
    people = [person for person in ("sender", "receiver") if getattr(asking_, person, None)]
    private = [*account(adapter)["credentials"].values()]
    private += account(adapter).get("lent", {}).values()
    for person in people:
        contact = getattr(asking_, person)
        private += [contact.name, contact.phone, contact.street]
    assert [secret for secret in private if secret and secret in shown] == []


SECRETS = {"checkword", "app_secret", "client_secret", "webhook_credential", "secret_key"}
SECRETS |= {"secret", "private_key", "password", "refresh_token", "push_app_secret"}


@each_operation
def test_no_secret_is_sent(adapter: Adapter, name: str) -> None:
    marked = {secret: f"s3cret-{secret}" for secret in SECRETS}
    call = signed(adapter, getattr(adapter, name).encode(asking(adapter, name)), marked)
    assert b"s3cret" not in call.body
    assert "s3cret" not in str(dict(call.headers)) + call.path


def shape(call: Call) -> object:
    """The names of a body's fields, in order, at every depth."""
    if not call.body.startswith((b"{", b"[")):
        return [pair.split(b"=")[0] for pair in call.body.split(b"&")]
    return names(json.loads(call.body))


def names(value: Any) -> Any:
    if isinstance(value, dict):
        return [(name, names(inner)) for name, inner in value.items()]
    return [names(inner) for inner in value] if isinstance(value, list) else None


@each
@unhurried
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_hostile_text_is_carried_or_refused_and_never_splits_a_field(
    adapter: Adapter, text: str
) -> None:
    order = asking(adapter, "intercept")
    assert isinstance(order, Order)
    sender = Contact(text, text, text, text, text, text)
    usual = signed(adapter, adapter.intercept.encode(order))
    try:
        call = signed(adapter, adapter.intercept.encode(replace(order, sender=sender)))
    except ValueError:
        return  # refused: it is no name, or no telephone number
    assert shape(call) == shape(usual)


# --- replies --------------------------------------------------------------------------------

STRANGE: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    2**70,
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    [],
    {},
    "NaN",
    "x" * 99,
]


@each_operation
@unhurried
@given(body=GARBAGE, status=st.integers(100, 599))
def test_garbage_is_never_an_answer(adapter: Adapter, name: str, body: bytes, status: int) -> None:
    answer = read(getattr(adapter, name), Reply(status, body), ("1",))
    assert answer.verdict is Verdict.UNKNOWN


@each_operation
@pytest.mark.parametrize("body", POISON, ids=[f"poison{n}" for n in range(len(POISON))])
def test_poison_is_unknown(adapter: Adapter, name: str, body: bytes) -> None:
    answer = read(getattr(adapter, name), Reply(200, body), ("1",))
    assert answer.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("golden", REPLIES, ids=str)
def test_a_cut_off_reply_is_unknown(golden: Golden) -> None:
    whole = reply(golden.case)
    for length in range(0, len(whole.body), max(1, len(whole.body) // 40)):
        cut = Reply(whole.status, whole.body[:length])
        assert read(golden.of(), cut).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("golden", REPLIES, ids=str)
def test_a_server_error_is_unknown_whatever_its_body_says(golden: Golden) -> None:
    for status in (100, 307, 500, 502, 504):
        assert read(golden.of(), replace(reply(golden.case), status=status)).verdict is (
            Verdict.UNKNOWN
        )


def another_answer(inner: Any, other: Any) -> bool:
    """A no that becomes a yes, a number that becomes the zero of success, is nothing strange."""
    return (inner is False and other is True) or (type(inner) is type(other) is int and other == 0)


def strange(value: Any) -> Iterator[Any]:
    """The value with one leaf replaced by something no carrier should send."""
    if isinstance(value, dict):
        for key, inner in value.items():
            others = [other for other in STRANGE if not another_answer(inner, other)]
            yield from ({**value, key: other} for other in [*strange(inner), *others])
    elif isinstance(value, list):
        for place, inner in enumerate(value[:2]):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in strange(inner))


CLEAR = [golden for golden in REPLIES if golden.case["answer"]["verdict"] != Verdict.UNKNOWN]


@pytest.mark.parametrize("golden", CLEAR, ids=str)
def test_a_strange_field_never_improves_an_answer(golden: Golden) -> None:
    """A reply with one field spoilt says the same, less, or nothing: never a better verdict."""
    usual = read(golden.of(), reply(golden.case)).verdict
    for body in strange(golden.case["body"]):
        text = json.dumps(body).encode()
        answer = read(golden.of(), Reply(200, text))
        good = {Verdict.ACCEPTED, Verdict.CANCELLED, Verdict.MISSED, Verdict.TOO_LATE}
        assert answer.verdict is usual or answer.verdict not in good
        assert "\x00" not in repr(answer)
        assert "\\ud800" not in repr(answer)
        for number in (answer.fee_minor, answer.grant_minor):
            assert number is None or 0 <= number < 2**63


@pytest.mark.parametrize("golden", REPLIES, ids=str)
def test_an_answer_about_another_parcel_is_discarded(golden: Golden) -> None:
    answer = read(golden.of(), reply(golden.case))
    if answer.waybill:
        other = read(golden.of(), reply(golden.case), ("another",))
        assert (other.verdict, other.reason) == (Verdict.UNKNOWN, Reason.WRONG_WAYBILL)


@each
def test_a_query_that_was_itself_refused_refuses_nothing(adapter: Adapter) -> None:
    """Only states refuse or accept: a no to the question is not a no to the interception."""
    for golden in REPLIES:
        if golden.adapter is adapter and golden.operation == "query":
            envelope = {**golden.case, "body": json.loads(json.dumps(golden.case["body"]))}
            answer = read(golden.of(), reply(envelope))
            assert answer.verdict is not Verdict.REFUSED


# --- pushes ---------------------------------------------------------------------------------


def pushes(golden: Golden) -> tuple[Push, Pushes, dict[str, str]]:
    assert golden.adapter.push is not None
    push = Push(golden.case["headers"], golden.case["body"].encode())
    return push, golden.adapter.push, account(golden.adapter)["credentials"]


@each_push
def test_a_push_is_believed_and_means_exactly_this(golden: Golden) -> None:
    push, port, credentials = pushes(golden)
    assert port.verify(push, credentials) == golden.case["tier"]
    if "delivery" in golden.case:
        assert told(port.decode(push)) == golden.case["delivery"]
        assert port.accept(push).body.decode() == golden.case["accept"]
        assert port.reject(push, "no <room>").body.decode() == golden.case["reject"]


@each_push
def test_a_push_with_one_changed_byte_is_refused_or_says_the_same(golden: Golden) -> None:
    push, port, credentials = pushes(golden)
    if golden.case["tier"] is None or golden.case["tier"] == Tier.T3:
        return
    whole = port.decode(push)
    for place in range(len(push.body)):
        for bit in (1, 32):
            other = bytes([push.body[place] ^ bit])
            changed = replace(push, body=push.body[:place] + other + push.body[place + 1 :])
            if port.verify(changed, credentials) is not None:
                assert port.decode(changed) == whole


@each_push
def test_a_push_signed_with_another_secret_is_refused_or_only_a_hint(golden: Golden) -> None:
    """`pushes_signed_with` names the credentials that count, where not every one does."""
    push, port, credentials = pushes(golden)
    secrets = account(golden.adapter).get("pushes_signed_with", credentials)
    assert set(secrets) <= set(credentials)
    assert secrets
    for name in secrets:
        assert port.verify(push, credentials | {name: "other"}) in (None, Tier.T3)


@each_pushing
@unhurried
@given(body=GARBAGE)
def test_a_garbage_push_is_quarantined(adapter: Adapter, body: bytes) -> None:
    port = adapter.push
    assert port is not None
    push = Push({}, body)
    assert port.verify(push, account(adapter)["credentials"]) in (None, Tier.T3)
    with pytest.raises(ValueError, match=r"^unreadable push$"):
        port.decode(push)
    assert port.accept(push).status == 200
    assert port.reject(push, "why").body != port.accept(push).body


XML = '<Request service="RoutePushService">{}</Request>'
EVIL = [
    '<!DOCTYPE a [<!ENTITY b "c">]>' + XML.format('<WaybillRoute mailno="&b;" opCode="1"/>'),
    '<!DOCTYPE a SYSTEM "file:///etc/passwd">' + XML.format(""),
    XML.format("<a>" * 100_000 + "</a>" * 100_000),
    '<?xml version="1.0" encoding="UTF-16"?>' + XML.format(""),
    XML.format('<WaybillRoute mailno="1" mailno="2" opCode="1"/>'),
    XML.format('<WaybillRoute mailno="&#0;" opCode="1"/>'),
    XML.format('<WaybillRoute mailno="&#13;1" opCode="1"/>'),
    XML.format('<WaybillRoute opCode="1"/>'),
    XML,
    "<other/>",
    "",
]


@each_pushing
@pytest.mark.parametrize("text", EVIL, ids=[f"evil{n}" for n in range(len(EVIL))])
def test_an_evil_document_is_quarantined(adapter: Adapter, text: str) -> None:
    assert adapter.push is not None
    for body in (text, f"content={text}", f"content={text}&content={text}"):
        with pytest.raises(ValueError, match=r"^unreadable push$"):
            adapter.push.decode(Push({}, body.encode()))


@pytest.mark.parametrize("golden", [g for g in PUSHES if g.case["body"].startswith("{")], ids=str)
def test_a_field_there_twice_is_refused(golden: Golden) -> None:
    """`data` beside `Data`, or beside itself: nobody knows which of the two was signed."""
    push, port, credentials = pushes(golden)
    name, value = next(iter(json.loads(push.body).items()))
    for twin in (name, name.upper()):
        extra = f"{json.dumps(twin)}:{json.dumps(value)},".encode()
        body = push.body[:1] + extra + push.body[1:]
        if twin == name or golden.case["tier"] != Tier.T3:
            assert port.verify(replace(push, body=body), credentials) in (None, Tier.T3)
            with pytest.raises(ValueError, match=r"^unreadable push$"):
                port.decode(replace(push, body=body))


# --- the literal and the file ---------------------------------------------------------------


@each
def test_the_literal_agrees_with_itself(adapter: Adapter) -> None:
    assert ADAPTERS[adapter.name] is adapter
    assert re.compile(adapter.waybill).fullmatch(asked(asking(adapter, "intercept"))[0])
    assert adapter.in_flight_bound_ms.value > 0
    assert adapter.fee_basis.value in {"reply", "contract"}
    assert adapter.window.value
    assert adapter.hosts
    assert all("." in host and "/" not in host for host in adapter.hosts)
    needed, known = set(adapter.credentials), set(account(adapter)["credentials"])
    assert needed <= known <= needed | set(adapter.optional_credentials)
    assert set(account(adapter).get("settings", {})) <= set(adapter.settings)
    assert adapter.promise_on.value is not Promise.PAYMENT
    if adapter.claim_query is not None:
        assert adapter.claim is not None
    assert all(isinstance(answer, Answer) for answer in adapter.codes.values())


@each
def test_a_promise_on_evidence_is_never_an_acceptance(adapter: Adapter) -> None:
    accepting = {
        label
        for label, answer in adapter.codes.items()
        if label.startswith("intercept ") and answer.verdict is Verdict.ACCEPTED
    }
    assert bool(accepting) is (adapter.promise_on.value is Promise.REPLY)


@each
def test_track_refuses_more_than_its_batch(adapter: Adapter) -> None:
    if adapter.track is not None:
        trace = asking(adapter, "track")
        assert isinstance(trace, Trace)
        number = trace.waybills[0]
        adapter.track.encode(replace(trace, waybills=(number,) * adapter.track.batch))
        for count in (0, adapter.track.batch + 1):
            with pytest.raises(ValueError, match=r"."):
                adapter.track.encode(replace(trace, waybills=(number,) * count))


@each
def test_a_cancel_that_needs_a_reference_refuses_to_go_without(adapter: Adapter) -> None:
    if adapter.cancel is not None and adapter.cancel_needs_reference:
        order = asking(adapter, "cancel")
        assert isinstance(order, Order)
        with pytest.raises(ValueError, match=r"."):
            adapter.cancel.encode(replace(order, reference=""))


@pytest.mark.parametrize("file", sorted((ROOT / "adapters").glob("*.py")), ids=lambda f: f.name)
def test_a_file_is_short_and_pure(file: File) -> None:
    text = file.read_text("utf-8")
    assert text.count("\n") <= LINES_MAX
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Global)
    strangers = {name for name in imported - OURS if name.split(".")[0] not in PURE}
    assert strangers - {"adapters.markup", "adapters.strict", "adapters.wire"} == set()
