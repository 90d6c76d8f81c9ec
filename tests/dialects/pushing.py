"""What a carrier pushes: its dialect writes it, its adapter believes, reads and answers it."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.domain.carrier import Delivery, Push, Pushes, Reply, Tier
from gateway.domain.record import replace
from simulator import world
from simulator.depot import Record
from simulator.dialect import Announcement, Outgoing
from simulator.outcomes import Outcome
from simulator.world import DAY_MS, Event
from tests.dialects.bench import Bench
from tests.dialects.checks import Make, Wrong, spoilt
from tests.dialects.story import READS

FORMATS = ("json", "xml", "form")
STRIDE = 5


@dataclass(frozen=True, slots=True)
class Sent:
    """One message, and what it announces."""

    announcement: Announcement
    outgoing: Outgoing
    push: Push

    @property
    def what(self) -> str:
        mark = self.announcement.mark
        return str(mark.event) if mark is not None else "the decision on a claim"


def arrived(outgoing: Outgoing) -> Push:
    headers = {name.lower(): text for name, text in getattr(outgoing, "headers", {}).items()}
    return Push({"content-type": outgoing.content_type, **headers}, outgoing.body)


def formatted(make: Make, form: str) -> Bench:
    bench = make()
    options = bench.account.options.model_copy(update={"push_format": form})
    bench.account = dataclasses.replace(bench.account, options=options)
    bench.depot.put_account(bench.account)
    return bench


def stories(bench: Bench) -> Iterator[Record]:
    """Parcels that together see every event there is."""
    for outcome in Outcome:
        for number in world.ReturnNumber:
            record = bench.ship(outcome, number=number)
            order = bench.question("intercept", record.parcel.waybill)
            bench.ask("intercept", order)
            yield record
    record = bench.ship()
    bench.ask("intercept", bench.question("intercept", record.parcel.waybill))
    if bench.adapter.cancel is not None and record.journal:
        bench.depot.cancel(record, record.journal[-1], bench.now + 600_000)
        yield record


def messages(bench: Bench) -> Iterator[Sent]:
    """Every kind of message once with each number of the way back, and a decision on a claim."""
    had = set()
    for record in stories(bench):
        renumbered = record.parcel.return_waybill != record.parcel.waybill
        for mark in record.course():
            key = (mark.event, renumbered, mark.cause)
            if mark.event in bench.dialect.announces and key not in had:
                had.add(key)
                yield sent(bench, Announcement(f"id-{len(had)}", record, mark))
    if bench.dialect.announces_claims:
        record = bench.ship(Outcome.LOST)
        bench.ask("intercept", bench.question("intercept", record.parcel.waybill))
        bench.now += 10 * DAY_MS
        bench.ask("claim", bench.question("claim", record.parcel.waybill))
        yield sent(bench, Announcement("id-claim", record, claim=record.claims[-1]))


def sent(bench: Bench, announcement: Announcement) -> Sent:
    outgoing = bench.push(announcement)
    return Sent(announcement, outgoing, arrived(outgoing))


def port(bench: Bench) -> Pushes:
    assert bench.adapter.push is not None
    return bench.adapter.push


# --- 6. pushes -----------------------------------------------------------------------------------


def both_ends_push_or_neither(make: Make, tiers: set[Tier | None]) -> Wrong:
    """And each event that is announced comes up in some life of a parcel."""
    bench = make()
    if bench.adapter.push is None:
        if bench.dialect.announces or bench.dialect.announces_claims:
            yield "the dialect pushes what the adapter cannot read"
        return
    announced, seen = set(bench.dialect.announces), set()
    for each in messages(bench):
        seen |= {each.announcement.mark.event} if each.announcement.mark else set()
        tier = port(bench).verify(each.push, bench.credentials)
        if tier is None:
            yield f"{each.what} is not believed: {each.push.body[:200]!r}"
        elif tier not in tiers:
            yield f"{each.what} is T{int(tier)}, which no golden push is"
    kept = announced - seen - {Event.INTERCEPT_CANCELLED}
    if kept:
        yield f"announced, and never met here: {sorted(kept)}"


def every_push_is_read(make: Make, form: str) -> Wrong:
    bench = formatted(make, form)
    if bench.adapter.push is None:
        return
    keys: dict[str, str] = {}
    for each in messages(bench):
        try:
            delivery = port(bench).decode(each.push)
        except ValueError:
            yield f"{each.what} cannot be read: {each.push.body[:300]!r}"
            continue
        yield from _truthful(bench, each, delivery)
        twin = port(bench).decode(replace(each.push, headers=dict(each.push.headers)))
        if twin.event_key != delivery.event_key or not delivery.event_key:
            yield f"{each.what}: the same again has another key, or none"
        if delivery.event_key in keys:
            yield f"{each.what} has the key of {keys[delivery.event_key]}"
        keys[delivery.event_key] = each.what


def _truthful(bench: Bench, each: Sent, delivery: Delivery) -> Wrong:
    record, mark = each.announcement.record, each.announcement.mark
    ours = {record.parcel.waybill, record.parcel.return_waybill}
    if not delivery.waybills or not set(delivery.waybills) <= ours:
        yield f"{each.what} is read as about {delivery.waybills}, not {sorted(ours)}"
    if delivery.account and delivery.account not in {bench.account.name, *_names(bench)}:
        yield f"{each.what} is read as for the account {delivery.account!r}"
    if bench.adapter.networks and delivery.network not in ("", bench.network):
        yield f"{each.what} is read as of the network {delivery.network!r}"
    for scan in delivery.scans:
        if mark is None or mark.event in world.NOTICES:
            continue  # a notice may be told as a scan
        if scan.milestone not in READS[mark.event]:
            yield f"{each.what} is read as {scan.milestone} ({scan.code})"
        if scan.at_ms is not None and scan.at_ms // 1000 != mark.at_ms // 1000:
            yield f"{each.what} at {mark.at_ms} is read as at {scan.at_ms}"


def _names(bench: Bench) -> set[str]:
    return {text for text in bench.credentials.values() if text}


def what_may_be_believed(make: Make, form: str) -> Wrong:
    """Signed: no byte may change, no other secret holds, and no forger is believed. Unsigned: T3,
    and told apart by its address."""
    bench = formatted(make, form)
    if bench.adapter.push is None:
        return
    for each in messages(bench):
        verify = port(bench).verify
        tier = verify(each.push, bench.credentials)
        if tier is None:
            yield f"{each.what} is not believed"
            continue
        others = {
            verify(each.push, {**bench.credentials, name: spoilt(bench.credentials[name])})
            for name in bench.adapter.credentials
        }
        signed = bool(others - {tier})
        if tier is not Tier.T3 and not signed:
            yield f"{each.what} is T{int(tier)}, and no secret matters"
        if tier is Tier.T1:
            yield from _whole(bench, each)
        elif tier is Tier.T2:
            yield from _keyed(bench, each)
        twin = dataclasses.replace(each.announcement, id=f"{each.announcement.id}-forged")
        address, forged = bench.dialect.forge(bench.account, bench.push(twin))
        believed = verify(arrived(forged), bench.credentials)
        here = address == bench.account.push_url
        if here and believed not in (None, Tier.T3):
            yield f"{each.what}, forged, is believed as T{int(believed)}"
        if here and believed is Tier.T3 and tier is Tier.T3:
            yield f"{each.what}: a forged one cannot be told apart, not even by its address"


def _whole(bench: Bench, each: Sent) -> Wrong:
    """Every changed byte is refused, or changes nothing."""
    whole = port(bench).decode(each.push)
    for place in range(0, len(each.push.body), STRIDE):
        body = bytearray(each.push.body)
        body[place] ^= 1
        changed = replace(each.push, body=bytes(body))
        tier = port(bench).verify(changed, bench.credentials)
        if tier not in (None, Tier.T3) and _read(bench, changed) != whole:
            yield f"{each.what} with byte {place} changed is believed"


def _read(bench: Bench, push: Push) -> Delivery | None:
    try:
        return port(bench).decode(push)
    except ValueError:
        return None


def _keyed(bench: Bench, each: Sent) -> Wrong:
    """Keyed at least: a push without its signature, or with another's, is refused."""
    others = {
        port(bench).verify(each.push, {**bench.credentials, name: spoilt(bench.credentials[name])})
        for name in bench.adapter.credentials
    }
    if not others & {None, Tier.T3}:
        yield f"{each.what} is believed whatever the secret"


def an_acknowledgement_is_one(make: Make, form: str) -> Wrong:
    """What the adapter writes after a push is taken by the carrier; its refusal is not."""
    bench = formatted(make, form)
    if bench.adapter.push is None:
        return
    for each in messages(bench):
        yes = port(bench).accept(each.push)
        no = port(bench).reject(each.push, 'no <room> & no "time"')
        if not _taken(bench, yes):
            yield f"{each.what}: no acknowledgement: {yes.status} {yes.body[:200]!r}"
        if _taken(bench, no):
            yield f"{each.what}: a refusal is taken for an acknowledgement: {no.body[:200]!r}"


def _taken(bench: Bench, reply: Reply) -> bool:
    return bench.dialect.acknowledged(reply.status, reply.body)


def several_in_one_are_all_read(make: Make, form: str) -> Wrong:
    bench = formatted(make, form)
    most = bench.dialect.push_batch
    if bench.adapter.push is None or most < 2:
        return
    announcements = []
    for number in range(min(most, 10)):
        record = bench.ship()
        mark = next(m for m in record.course() if m.event in bench.dialect.announces)
        announcements.append(Announcement(f"id-{number}", record, mark))
    delivery = port(bench).decode(arrived(bench.push(*announcements)))
    wanted = {each.record.parcel.waybill for each in announcements}
    if set(delivery.waybills) != wanted or {scan.waybill for scan in delivery.scans} != wanted:
        yield f"{len(wanted)} parcels in one push are read as {delivery.waybills}"
