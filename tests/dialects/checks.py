"""What must hold between any adapter and the dialect of its carrier.

Every check makes its own benches and yields what is wrong, in words; nothing when all is well.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from gateway.domain.carrier import (
    Adapter,
    Answer,
    Dedup,
    Order,
    Reason,
    Reply,
    Token,
    Verdict,
    read,
    read_token,
)
from gateway.domain.record import replace
from simulator.depot import Record
from simulator.dialect import Answer as Said
from simulator.outcomes import Fault, FaultName, Outcome, Params
from simulator.outcomes import Operation as Name
from simulator.outcomes import Reason as Why
from simulator.world import Status
from tests.dialects.bench import Bench, numbers, operations
from tests.test_adapters import REPLIES

V = Verdict
Make = Callable[[], Bench]
Wrong = Iterator[str]
SHOWS_NOTHING = {V.REFUSED, V.UNKNOWN, V.ABSENT}
# what an operation may say of a parcel on its way that nobody has interfered with
UNDERSTOOD: Mapping[str, set[Verdict]] = {
    "intercept": {V.RECEIVED, V.ACCEPTED},
    "track": {V.RECEIVED},
    "quote": {V.RECEIVED, V.ACCEPTED},
    "subscribe": {V.RECEIVED, V.ACCEPTED},
    "claim": {V.RECEIVED, V.REFUSED},
    "query": {V.ABSENT, V.UNKNOWN, V.RECEIVED},
    "cancel": {V.ABSENT, V.REFUSED, V.UNKNOWN, V.TOO_LATE},
    "cancel_order": {V.REFUSED, V.TOO_LATE, V.UNKNOWN},
    "claim_query": {V.ABSENT, V.UNKNOWN},
}
NOT_UNDERSTOOD = {Reason.BAD_REQUEST, Reason.BAD_CREDENTIALS, Reason.UNREADABLE, Reason.NO_ANSWER}
REASONS: Mapping[Why, set[Reason]] = {
    Why.UNKNOWN_WAYBILL: {Reason.UNKNOWN_WAYBILL},
    Why.NOT_PICKED_UP: {Reason.NOT_PICKED_UP, Reason.NOT_ALLOWED, Reason.ALREADY_CANCELLED},
    Why.TOO_LATE: {Reason.TOO_LATE, Reason.NOT_ALLOWED},
    Why.ALREADY_DELIVERED: {Reason.DELIVERED, Reason.TOO_LATE, Reason.NOT_ALLOWED},
    Why.ALREADY_INTERCEPTED: {Reason.ALREADY_INTERCEPTED},
    Why.RETURN_LEG: {Reason.NOT_ALLOWED, Reason.TOO_LATE},
    Why.UNLISTED: {Reason.UNLISTED},
}


def told(answer: Answer) -> str:
    return f"{answer.verdict}/{answer.reason} {answer.code}".rstrip()


def untouched(record: Record) -> bool:
    """Whether nothing has been done to the parcel, or in its name."""
    parcel = record.parcel
    return not (record.journal or record.claims or parcel.order_cancelled_ms) and (
        record.watched_from_ms is None
    )


def effects(record: Record) -> int:
    return sum(entry.effects for entry in record.journal if not entry.by_other)


# --- 1. both ends speak of the same thing ------------------------------------------------------


def every_operation_is_understood(make: Make, name: str) -> Wrong:
    """The signature holds, the dialect sees the operation and the parcel, and answers about it."""
    bench = make()
    record = bench.ship()
    waybill = record.parcel.waybill
    question = bench.question(name, waybill)
    taken = bench.take(bench.sign(bench.operation(name).encode(question)))
    if isinstance(taken, Said):
        yield f"{name} is not read: {taken.status} {taken.code} {taken.body[:200]!r}"
        return
    if taken.operation is not Name(name) and not _same_call(bench, name, taken.operation):
        yield f"{name} is taken for {taken.operation}"
    if name != "claim_query" and taken.record is not record:
        yield f"{name} of {waybill} is taken to be about {taken.waybill!r}"
    answer = bench.ask(name, question)
    if answer.verdict not in UNDERSTOOD[name] or answer.reason in NOT_UNDERSTOOD:
        yield f"{name} of a parcel on its way: {told(answer)}"


def _same_call(bench: Bench, name: str, other: str) -> bool:
    """One API of the carrier may serve two operations: then both send the same request."""
    if getattr(bench.adapter, other, None) is None:
        return False
    paths = set()
    for each in (name, str(other)):
        question = bench.question(each, bench.waybill())
        paths.add(bench.sign(bench.operation(each).encode(question)).path.partition("?")[0])
    return len(paths) == 1


def nobodys_parcel_is_never_a_success(make: Make, name: str) -> Wrong:
    bench = make()
    answer = bench.ask(name, bench.question(name, bench.waybill()))
    empty = name == "track" and answer.verdict is V.RECEIVED and not answer.scans
    if answer.verdict not in SHOWS_NOTHING and not empty:
        yield f"{name} of a parcel that is not there: {told(answer)}"
    if answer.reason in NOT_UNDERSTOOD:
        yield f"{name} of a parcel that is not there is not understood: {told(answer)}"


def anothers_parcel_is_nobodys(make: Make, name: str) -> Wrong:
    """The parcel is another account's: neither told nor touched."""
    bench = make()
    record = bench.ship()
    other = dataclasses.replace(bench.account, name="SOMEBODY-ELSE")
    bench.depot.put_account(other)
    record.account = other
    record.parcel = dataclasses.replace(record.parcel, account=other.name, order_id="OTHER")
    answer = bench.ask(name, bench.question(name, record.parcel.waybill))
    empty = name == "track" and answer.verdict is V.RECEIVED and not answer.scans
    if answer.verdict not in SHOWS_NOTHING and not empty:
        yield f"{name} of another account's parcel: {told(answer)}"
    if not untouched(record):
        yield f"{name} of another account's parcel was carried out"


def the_probe_is_nobodys_parcel(make: Make) -> Wrong:
    bench = make()
    name = next((each for each in ("track", "query") if getattr(bench.adapter, each)), "")
    if bench.adapter.probe and name:
        answer = bench.ask(name, bench.question(name, bench.adapter.probe))
        empty = answer.verdict is V.RECEIVED and not answer.scans
        if answer.verdict not in SHOWS_NOTHING and not empty:
            yield f"{name} of the probe: {told(answer)}"
        if answer.reason in NOT_UNDERSTOOD:
            yield f"{name} of the probe: {told(answer)}"


# --- 2. signatures -----------------------------------------------------------------------------

STRIDE = 3  # every third byte of a body is changed


def covers_body(bench: Bench) -> bool:
    """Whether what is signed depends on the body: another parcel changes more than the body."""
    stamp, fields = bench.stamp(), []
    for _ in range(2):
        question = bench.question("intercept", bench.waybill())
        sent = bench.sign(bench.operation("intercept").encode(question), at=stamp)
        if not sent.body:
            return False
        query = parse_qsl(sent.path.partition("?")[2], keep_blank_values=True)
        form = "urlencoded" in str(dict(sent.headers)).lower()
        pairs = parse_qsl(sent.body.decode(), keep_blank_values=True) if form else []
        fields.append({*sent.headers.items(), *query, *pairs})
    return len(fields[0] - fields[1]) > form


def a_changed_byte_is_refused(make: Make) -> Wrong:
    """Or it changes nothing that the carrier reads. Nothing is carried out."""
    bench = make()
    record = bench.ship()
    operation = bench.operation("intercept")
    question = bench.question("intercept", record.parcel.waybill)
    sent = bench.sign(operation.encode(question))
    whole = bench.take(sent)
    if isinstance(whole, Said):
        yield f"not read at all: {whole.code}"
        return
    covered, refused = covers_body(bench), 0
    for place in range(0, len(sent.body), STRIDE):
        for bit in (1, 32):
            other = bytes([sent.body[place] ^ bit])
            body = sent.body[:place] + other + sent.body[place + 1 :]
            taken = bench.take(replace(sent, body=body))
            if isinstance(taken, Said):
                refused += 1
                answer = read(operation, bench.reply(taken), numbers(question))
                if answer.verdict not in (V.BUSY, V.UNKNOWN) and covered:
                    yield f"byte {place} changed: {told(answer)}"
            elif covered and (taken.message, taken.waybill) != (whole.message, whole.waybill):
                yield f"byte {place} changed, and believed: {body[place - 20 : place + 20]!r}"
    if covered and not refused:
        yield "no changed byte is ever refused"
    if not untouched(record):
        yield "a changed body was carried out"


def a_wrong_secret_is_refused(make: Make, name: str) -> Wrong:
    """Each credential in turn is another: not carried out, and laid to our account, not to the
    parcel. What is told and not proved, like a customer's name, may be believed."""
    bench = make()
    record = bench.ship()
    operation = bench.operation(name)
    question = bench.question(name, record.parcel.waybill)
    stamp, rejected = bench.stamp(), 0
    usual = bench.sign(operation.encode(question), at=stamp)
    if isinstance(bench.take(usual), Said):
        yield f"{name} is not read at all"
        return
    for secret in (*bench.adapter.credentials, "access_token"):
        if secret == "access_token" and bench.adapter.token is None:
            continue
        usual_text = bench.credentials.get(secret) or bench.token
        call = bench.sign(operation.encode(question), at=stamp, **{secret: spoilt(usual_text)})
        if call == usual:
            continue  # it has no part in this call
        taken = bench.take(call)
        if not isinstance(taken, Said):
            if spoilt(usual_text) not in " ".join(leaves(taken.message)):
                yield f"{name} with another {secret} is believed"
            continue
        answer = read(operation, bench.reply(taken), numbers(question))
        if answer.verdict not in (V.BUSY, V.UNKNOWN):
            yield f"{name} with another {secret}: {told(answer)}"
        rejected += answer.reason is Reason.BAD_CREDENTIALS and answer.verdict is V.BUSY
    if not rejected:
        yield f"{name}: no wrong credential is ever BUSY/BAD_CREDENTIALS"
    if not untouched(record):
        yield f"{name} with a wrong secret was carried out"


def spoilt(text: str) -> str:
    """Another text of the same form."""
    return text[:-1] + ("x" if text[-1:] != "x" else "y")


def a_token_is_fetched_and_ends(make: Make) -> Wrong:
    """A wrong secret gets none; one that has ended, or is somebody's, is BUSY/BAD_CREDENTIALS."""
    bench = make()
    tokens = bench.adapter.token
    if tokens is None:
        return
    lent = bench.lend()
    if not isinstance(lent, Token) or lent.valid_ms <= 0:
        yield f"no token: {lent}"
        return
    refused = 0
    for secret in bench.adapter.credentials:
        other = bench.lend(**{secret: spoilt(bench.credentials[secret])})
        if isinstance(other, Answer):
            refused += other.reason is Reason.BAD_CREDENTIALS
            if other.verdict not in (V.BUSY, V.UNKNOWN):
                yield f"a token asked for with another {secret}: {told(other)}"
    if not refused:
        yield "a token is lent to whoever asks"
    record = bench.ship()
    bench.machine_ms += lent.valid_ms + 1_000
    answer = bench.ask("intercept", bench.question("intercept", record.parcel.waybill))
    if (answer.verdict, answer.reason) != (V.BUSY, Reason.BAD_CREDENTIALS):
        yield f"a token that has ended: {told(answer)}"
    if not untouched(record):
        yield "a call with a token that has ended was carried out"


# --- 4. again ----------------------------------------------------------------------------------


def the_same_again_has_one_effect(make: Make) -> Wrong:
    """As the adapter declares it: by our reference, or by the parcel."""
    bench = make()
    dedup = bench.adapter.dedup.value
    if dedup is Dedup.NONE:
        return
    record = bench.ship()
    order: Order = bench.question("intercept", record.parcel.waybill)
    other = order if dedup is Dedup.REFERENCE else replace(order, key=f"{order.key}x")
    first, second = bench.ask("intercept", order), bench.ask("intercept", other)
    if effects(record) != 1:
        yield f"{effects(record)} effects of one request that came twice"
    again = {V.RECEIVED, V.ACCEPTED, V.DUPLICATE}
    if first.verdict not in again:
        yield f"the first: {told(first)}"
    by_parcel = dedup is Dedup.WAYBILL and second.reason is Reason.ALREADY_INTERCEPTED
    if second.verdict not in again and not by_parcel:
        yield f"the second: {told(second)}"
    same = second.reference == first.reference
    if dedup is Dedup.WAYBILL and second.verdict in (V.RECEIVED, V.ACCEPTED) and not same:
        yield "the second was told of another instruction"


def what_is_done_twice_is_seen_twice(make: Make) -> Wrong:
    """The dialect honours the fault that the duplicate tests rest on."""
    bench = make()
    record = bench.ship()
    bench.ask("intercept", bench.question("intercept", record.parcel.waybill), twice=True)
    if effects(record) != 2:
        yield f"a carrier that executes twice has {effects(record)} effects"


# --- 5. hostile text ---------------------------------------------------------------------------


def leaves(value: Any) -> Iterator[str]:
    """Every text in a message, and in the JSON and forms that are texts in it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str):
        yield value
        if value[:1] in ("{", "["):
            yield from leaves(_json(value))
    elif value is not None:
        yield str(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def slots(bench: Bench, name: str) -> dict[str, Callable[[Any, str], Any]]:
    """Every place in a question that holds somebody's text: its name, and how to fill it."""
    question = bench.question(name, bench.waybill())
    found: dict[str, Callable[[Any, str], Any]] = {}
    for who in ("sender", "receiver"):
        if getattr(question, who, None) is not None:
            for part in ("name", "phone", "province", "city", "district", "street"):
                found[f"{who}.{part}"] = _contact(who, part)
    for plain in ("description", "reference", "order_no", "key", "phone_tail"):
        if hasattr(question, plain):
            found[plain] = _plain(plain)
    for setting in bench.adapter.settings:
        found[f"settings.{setting}"] = _setting(setting)
    return found


def _contact(who: str, part: str) -> Callable[[Any, str], Any]:
    return lambda q, text: replace(q, **{who: replace(getattr(q, who), **{part: text})})


def _plain(field: str) -> Callable[[Any, str], Any]:
    return lambda q, text: replace(q, **{field: text})


def _setting(name: str) -> Callable[[Any, str], Any]:
    return lambda q, text: replace(q, settings={**q.settings, name: text})


def text_is_carried_or_refused(bench: Bench, name: str, slot: str, text: str) -> Wrong:
    """Hostile text in one place: the adapter refuses to write it, or the dialect believes the
    signature and sees the same text wherever it sees a plain one."""
    fill = slots(bench, name)[slot]
    plain = "Qx7"
    shown = _seen(bench, name, fill, slot, plain)
    found = _seen(bench, name, fill, slot, text)
    empty = slot.startswith("settings.") and not text.strip()
    if isinstance(shown, str) or empty:
        return  # it says who we are: whatever else stands there is somebody else's
    if found is None or isinstance(found, str):
        if found:
            yield f"{slot}={text!r}: {found}"
        return
    carried = isinstance(shown, list) and any(plain in leaf for leaf in shown)
    if carried and text.strip() and not any(text in leaf for leaf in found):
        yield f"{slot}={text!r} arrived as something else"


def _seen(
    bench: Bench, name: str, fill: Callable[[Any, str], Any], slot: str, text: str
) -> list[str] | str | None:
    """What the dialect reads. None: the adapter will not write it. A text: what is wrong."""
    operation = bench.operation(name)
    question = fill(bench.question(name, bench.waybill()), text)
    kind, _, setting = slot.partition(".")
    ours = {setting: text} if kind == "settings" else {}  # `sign` sees settings too
    try:
        call = bench.sign(operation.encode(question), None, **ours)
    except (ValueError, LookupError):
        return None
    wire = "".join((call.path, *call.headers, *call.headers.values()))
    if not wire.isprintable() or not call.path.isascii() or " " in call.path:
        return f"no HTTP request can be written like this: {wire!r}"
    taken = bench.take(call)
    if isinstance(taken, Said):
        answer = read(operation, bench.reply(taken), numbers(question))
        return (
            f"the signature is refused: {told(answer)}"
            if (answer.reason is Reason.BAD_CREDENTIALS or answer.verdict is V.UNKNOWN)
            else None
        )
    return list(leaves(taken.message))


# --- 7. codes ----------------------------------------------------------------------------------


def listed(bench: Bench) -> set[str]:
    return {label.partition(" ")[2] for label in bench.adapter.codes}


def all_that_it_says(make: Make) -> Iterator[tuple[str, Bench]]:
    """Every situation that brings another code out of a dialect, with what was answered."""
    for why in Why:
        bench = make()
        _everything(bench, bench.ship(Outcome.REFUSED, code=why))
        yield ("unlisted" if why is Why.UNLISTED else f"refused {why}"), bench
    bench = make()
    _everything(bench, bench.ship(Outcome.REFUSED_UNLISTED))
    yield "unlisted", bench
    for status in Status:
        if status in (Status.RETURNING, Status.ENDED):
            continue
        bench = make()
        _everything(bench, bench.ship(status=status))
        yield f"{status}", bench
    for outcome in Outcome:
        if outcome is Outcome.REFUSED_UNLISTED:
            continue
        bench = make()
        record = (
            bench.ship(outcome, when="later")
            if outcome is Outcome.REFUSED
            else (bench.ship(outcome))
        )
        order = bench.question("intercept", record.parcel.waybill)
        bench.ask("intercept", order)
        for mark in record.course():
            bench.now = max(bench.now, mark.at_ms + 1)
            _ask_all(bench, record, but=("intercept", "cancel", "cancel_order"))
        yield f"{outcome}", bench
    bench = make()
    for name in operations(bench.adapter):
        bench.ask(name, bench.question(name, bench.waybill()))
    yield "nobody's", bench


def _everything(bench: Bench, record: Record) -> None:
    """Each operation, in an order in which the later ones find what the earlier ones did."""
    order: Order = bench.question("intercept", record.parcel.waybill)
    reference = bench.ask("intercept", order).reference
    _ask_all(bench, record, reference, but=("cancel", "cancel_order"))
    _ask_all(bench, record, reference, but=())
    _ask_all(bench, record, reference, but=())


def _ask_all(bench: Bench, record: Record, reference: str = "", but: tuple[str, ...] = ()) -> None:
    claimed = ""
    for name in operations(bench.adapter):
        if name in but:
            continue
        question = bench.question(name, record.parcel.waybill)
        own = claimed if name == "claim_query" else reference
        if own and hasattr(question, "reference"):
            question = replace(question, reference=own)
        answer = bench.ask(name, question)
        claimed = answer.reference if name == "claim" else claimed


def every_code_is_listed(make: Make) -> Wrong:
    """Or it is the scripted refusal that no table can have."""
    strange, excused = {}, set()
    for situation, bench in all_that_it_says(make):
        for name, answer, said in bench.seen:
            if answer.reason is Reason.UNREADABLE:
                yield f"{situation}: {name} cannot be read: {said.code} {said.body[:200]!r}"
            if answer.reason is Reason.UNLISTED and situation == "unlisted":
                excused |= {answer.code} if name == "intercept" else set()
            if answer.reason is Reason.UNLISTED and answer.code not in listed(bench):
                strange[answer.code] = f"{situation}: {name} answers {told(answer)}"
            if answer.reason is Reason.BAD_REQUEST:
                yield f"{situation}: {name} is called malformed: {told(answer)}"
    yield from (what for code, what in strange.items() if code not in excused)
    if not excused:
        yield "the scripted unlisted refusal is not UNLISTED"


def each_refusal_has_its_reason(make: Make) -> Wrong:
    for why, allowed in REASONS.items():
        bench = make()
        record = bench.ship(Outcome.REFUSED, code=why)
        answer = bench.ask("intercept", bench.question("intercept", record.parcel.waybill))
        if answer.verdict is V.RECEIVED:
            continue  # this carrier says so later
        by_parcel = why is Why.ALREADY_INTERCEPTED and answer.verdict is V.DUPLICATE
        if answer.verdict is not V.REFUSED and not by_parcel:
            yield f"refused as {why}: {told(answer)}"
        elif answer.reason not in allowed and not by_parcel:
            yield f"refused as {why}, read as {told(answer)}"
        if answer.verdict is V.REFUSED and why is Why.UNLISTED and not answer.assumed:
            yield "an unlisted refusal is not marked as assumed"


# --- 8. busy, and answers about another parcel -------------------------------------------------


CHANGES = {"intercept", "cancel", "cancel_order", "claim"}


def busy_is_busy(make: Make, name: str) -> Wrong:
    """A dialect does not know what was asked when it says so: what changes nothing may be read as
    no answer."""
    bench = make()
    allowed = {V.BUSY} if name in CHANGES else {V.BUSY, V.UNKNOWN}
    for system in (False, True):
        fault = Fault(FaultName.BUSY_CODE, params=Params({"system": True} if system else {}))
        said = bench.dialect.busy(fault)
        waybills = (bench.waybill(),)
        answer = read(bench.operation(name), bench.reply(said), waybills)
        if answer.verdict not in allowed:
            yield f"{name} met a busy carrier (system={system}): {told(answer)}"
    page = Reply(429, b'{"message":"Too Many Requests"}')
    answer = read(bench.operation(name), page)
    if answer.verdict not in (V.BUSY, V.UNKNOWN):
        yield f"{name} met 429: {told(answer)}"
    if bench.adapter.token is not None:
        lent = read_token(bench.adapter.token, page)
        if isinstance(lent, Token):
            yield "429 is a token"


def names_parcels(adapter: Adapter, name: str) -> bool:
    """Whether some golden reply of this operation is read as about a parcel."""
    mine = (g for g in REPLIES if g.adapter.name == adapter.name and g.operation == name)
    return any(golden.case["answer"].get("waybill") for golden in mine)


def can_stray(bench: Bench) -> bool:
    """Whether the answer to an interception can be made to name another parcel."""
    waybill, other = bench.ship().parcel.waybill, bench.waybill()
    call = bench.operation("intercept").encode(bench.question("intercept", waybill))
    return other.encode() in bench.arrive(bench.sign(call), astray=other).body


def an_answer_about_another_parcel_is_discarded(make: Make, name: str) -> Wrong:
    """Where a reply names its parcel. That of an interception is made to name one."""
    bench = make()
    record = bench.ship()
    waybill = record.parcel.waybill
    question: Any = bench.question(name, waybill)
    if name in ("query", "cancel", "claim_query"):
        before = "claim" if name == "claim_query" else "intercept"
        reference = bench.ask(before, bench.question(before, waybill)).reference
        question = replace(question, reference=reference)
        bench.now += 10 * 60_000
    operation = bench.operation(name)
    strange = waybill[:-1] + ("1" if waybill[-1:] == "0" else "0")
    said = bench.arrive(bench.sign(operation.encode(question)), astray=strange)
    if strange.encode() not in said.body:
        if name == "intercept" and names_parcels(bench.adapter, name):
            yield "no reply of an interception can be made to name another parcel"
        return
    answer = read(operation, bench.reply(said), (waybill,))
    if (answer.verdict, answer.reason) != (V.UNKNOWN, Reason.WRONG_WAYBILL):
        yield f"{name} answered about {strange}: {told(answer)}"
