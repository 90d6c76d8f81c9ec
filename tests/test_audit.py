"""The audit is silent on every way an interception can go, and sees each rule when it is broken."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.domain.carrier import Verdict
from gateway.domain.fees import OnCancel
from gateway.store.audit import ROWS_MAX, RULES, Finding, Moment
from gateway.store.rows import TABLES
from gateway.store.store import Store, driver
from gateway.store.writer import Unavailable
from tests.engines import ENGINES, Engine, copied, engine, now
from tests.ledgers import Desk, month, opened, terms

# What only an engine's own words can say, by the marks that stand in the plants below.
WORDS = {
    "sqlite": {
        "@loose": (
            "CREATE TABLE loose AS SELECT * FROM {table}",
            "DROP TABLE {table}",
            "ALTER TABLE loose RENAME TO {table}",
        ),
        "@unguarded": ("DROP TRIGGER {table}_is_append_only_UPDATE",),
        "@toothless": (
            "DROP TRIGGER {table}_is_append_only_DELETE",
            "CREATE TRIGGER {table}_is_append_only_DELETE BEFORE DELETE ON {table} "
            "BEGIN SELECT 1; END",
        ),
    },
    "postgres": {
        "@loose": (
            "DO $$ DECLARE c record; BEGIN "
            "FOR c IN SELECT conname FROM pg_constraint "
            "WHERE conrelid = '{table}'::regclass AND contype <> 'n' "
            "LOOP EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT IF EXISTS %I CASCADE', "
            "c.conname); END LOOP; END $$",
        ),
        "@unguarded": ("DROP TRIGGER {table}_is_append_only_update ON {table}",),
        "@toothless": (
            "CREATE FUNCTION is_nothing() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN OLD; END $$",
            "DROP TRIGGER {table}_is_append_only_delete ON {table}",
            "CREATE TRIGGER {table}_is_append_only_delete BEFORE DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION is_nothing()",
        ),
    },
}


def worded(statement: str, engine_name: str, told: Mapping[str, str]) -> Iterator[str]:
    """The statement in an engine's words, with the interceptions' ids in it."""
    mark, _, table = statement.partition(" ")
    if mark.startswith("@"):
        yield from (text.replace("{table}", table) for text in WORDS[engine_name][mark])
    else:
        yield statement.format(**told)


class Plant(NamedTuple):
    """One way to break a rule. Names in braces are interceptions of the month."""

    rule: str
    fault: str
    statements: tuple[str, ...]


def again(kind: str, name: str, amount: str = "amount", of: str = "hold") -> str:
    """A further transfer of an interception, shaped like the one of kind `of`."""
    return (
        f"INSERT INTO transfer SELECT id || 'x', '{kind}', source, target, {amount}, currency, "
        "interception, award, dedup || 'x', actor, cause, at FROM transfer "
        f"WHERE interception = '{{{name}}}' AND kind = '{of}'"
    )


def set_of(table: str, change: str, name: str, more: str = "1 = 1") -> str:
    key = "id" if table == "interception" else "interception"
    return f"UPDATE {table} SET {change} WHERE {key} = '{{{name}}}' AND {more}"


DAY = 86_400_000
ORDER_OF = "SELECT parcel FROM interception WHERE id = '{%s}'"
CLAIM_OF = "SELECT id FROM claim WHERE interception = '{%s}'"
AWARD_OF = f"claim = ({CLAIM_OF})"
P = Plant


def purged(table: str, left: str) -> tuple[str, ...]:
    """A parcel with a claim, purged all but for what is left in one table."""
    of = f"({ORDER_OF % 'damaged'})"
    contents = "name = '', phone = '', province = '', city = '', district = '', street = ''"
    return (
        f"UPDATE parcel SET purged_at = 1 WHERE id = {of}",
        f"UPDATE person SET {contents} WHERE parcel = {of}",
        f"UPDATE order_line SET title = '' WHERE parcel = {of}",
        f"UPDATE scan SET place = '' WHERE parcel = {of}",
        f"UPDATE {table} SET {left} WHERE parcel = {of}",
    )


PLANTS = (
    P("M1", "a transfer stands twice", ("@loose transfer",
      "INSERT INTO transfer SELECT * FROM transfer WHERE kind = 'top_up'")),
    P("M1", "a capture goes to the wallet", (
      set_of("transfer", "target = 'AVAILABLE:t/shop:CNY'", "returned", "kind = 'capture'"),)),
    P("M1", "a capture goes to another carrier", (
      set_of("transfer", "target = 'FEES_PAYABLE:zto:CNY'", "returned", "kind = 'capture'"),)),
    P("M1", "a transfer of less than nothing", (
      set_of("transfer", "amount = -amount", "returned", "kind = 'hold'"),)),
    P("M1", "a transfer into an account nobody has", (
      "UPDATE transfer SET target = 'nobody' WHERE kind = 'top_up'",)),
    P("M2", "a fen too much in the wallet", (
      "UPDATE account SET balance = balance + 1 WHERE kind = 'AVAILABLE'",)),
    P("M3", "a wallet below zero", ("UPDATE account SET balance = -1 WHERE kind = 'AVAILABLE'",)),
    P("M3", "a held account without a balance", (
      "UPDATE account SET balance = NULL WHERE kind = 'HELD'",)),
    P("M4", "a fee is held that the account does not have", (
      set_of("interception", "money = 'HELD'", "refused"),)),
    P("M5", "a second hold", (again("hold", "returned"),)),
    P("M5", "a hold of less than the fee", (
      set_of("transfer", "amount = amount - 1", "returned", "kind = 'hold'"),)),
    P("M5", "a fee that was never held", (
      "DELETE FROM transfer WHERE kind = 'hold' AND interception = '{returned}'",)),
    P("M6", "captured, and nothing was", (
      "DELETE FROM transfer WHERE kind = 'capture' AND interception = '{returned}'",)),
    P("M6", "captured twice", (again("capture", "returned", of="capture"),)),
    P("M6", "released while it is held", (again("release", "processing"),)),
    P("M7", "a refund above the capture", (
      set_of("transfer", "amount = amount + 1", "cancelled", "kind = 'refund'"),)),
    P("M7", "refunded, and nothing was", (
      "DELETE FROM transfer WHERE kind = 'refund' AND interception = '{cancelled}'",)),
    P("M7", "refunded, and the money column does not know", (
      set_of("interception", "money = 'CAPTURED'", "cancelled"),)),
    P("M8", "the ledger can be rewritten", ("@unguarded transfer",)),
    P("M8", "a trigger that lets everything pass", ("@toothless event",)),
    P("M9", "money out of nothing", (
      "UPDATE account SET balance = balance + 1 WHERE kind = 'HELD'",)),
    P("M9", "money from outside without a reference", (
      "UPDATE transfer SET cause = '' WHERE kind = 'top_up'",)),
    P("M9", "a top-up under the reference of another", (
      "UPDATE transfer SET cause = 'bank-2' WHERE kind = 'top_up'",)),
    P("M10", "captured after the release", (again("capture", "refused"),)),
    P("M11", "a capture that the carrier is not owed", (
      again("capture", "returned", of="capture"),)),
    P("M11", "captured for a carrier without an account", (
      "UPDATE account SET owner = 'nobody' WHERE kind = 'FEES_PAYABLE'",)),
    P("C6", "sent after the decision", (
      set_of("attempt", f"started_at = started_at + {DAY}", "returned"),)),
    P("C6", "sent before the hold", (
      set_of("transfer", "at = at + 1", "sending", "kind = 'hold'"),)),
    P("C7", "left PROCESSING without evidence", (
      set_of("event", "evidence = NULL", "lost", "source = 'PROCESSING'"),)),
    P("C7", "left UNKNOWN on the evidence of another", (
      set_of("event", "evidence = (SELECT id FROM evidence WHERE interception = '{lost}' LIMIT 1)",
             "absent", "source = 'UNKNOWN'"),)),
    P("C8", "NEVER_SENT with a lost answer", (
      set_of("attempt", "outcome = 'lost'", "absent"),)),
    P("C8", "NEVER_SENT with an attempt under way", (
      set_of("attempt", "outcome = NULL, ended_at = NULL", "busy"),)),
    P("C8", "absent, and nobody asked", (
      "DELETE FROM evidence WHERE kind = 'query' AND interception = '{absent}'",)),
    P("C9", "a step that is no edge", (
      set_of("event", "source = 'QUEUED'", "returned", "target = 'ACCEPTED'"),)),
    P("C9", "a gap in the numbers", (
      set_of("event", "seq = seq + 90", "returned", "seq = 4"),)),
    P("C9", "an event that nothing followed from", (
      set_of("interception", "version = version + 1", "returned"),)),
    P("C9", "a step from where it was not", (
      set_of("event", "source = 'LOST'", "returned", "target = 'RETURNED'"),)),
    P("C9", "a column that no event changed", (
      set_of("interception", "movement = 'LOST'", "accepted"),)),
    P("C9", "a decision that no event changed", (
      set_of("interception", "decision = 'UNKNOWN'", "processing"),)),
    P("C9", "changed at another time than its last event", (
      set_of("interception", "updated_at = updated_at + 1", "processing"),)),
    P("C9", "no events at all", ("DELETE FROM event WHERE interception = '{sending}'",)),
    P("C10", "two attempts under way", (
      "INSERT INTO attempt SELECT id || 'x', interception, kind, gen + 1, started_at, started_ms, "
      "NULL, NULL, NULL FROM attempt WHERE interception = '{sending}'",)),
    P("C11", "two attempts of one lease", (
      "INSERT INTO attempt SELECT id || 'x', interception, kind, gen, started_at, started_ms, "
      "ended_at, ended_ms, outcome FROM attempt WHERE interception = '{returned}'",)),
    P("C11", "an attempt of a lease that never was", (
      set_of("attempt", "gen = gen + 1", "returned"),)),
    P("C11", "one attempt with two replies", ("@loose evidence",
      "INSERT INTO evidence SELECT id || 'x', interception, kind, tier, attempt, inbox, verdict, "
      "reason, code, reference, assumed, at FROM evidence "
      "WHERE interception = '{returned}' AND kind = 'reply'")),
    P("C11", "a reply to nothing", (
      set_of("evidence", "attempt = NULL", "returned", "kind = 'reply'"),)),
    P("C12", "an order that was cancelled, and travels", (
      set_of("interception", "path = 'cancelled_before_pickup'", "returned"),)),
    P("C12", "a parcel that was stopped on its way, and never shipped", (
      set_of("interception", "movement = 'NOT_SHIPPED'", "accepted"),)),
    P("C13", "made by a request that never was", (
      set_of("interception", "request_id = request_id || 'x'", "returned"),)),
    P("C13", "made by the request of another", (
      set_of("interception", "request_id = (SELECT i.request_id FROM interception i "
             "WHERE i.id = '{accepted}')", "returned"),)),
    P("C13", "on another network than its parcel", (
      set_of("interception", "network = network || 'x'", "processing"),)),
    P("C13", "quoted as its quote was not", (
      set_of("interception", "quoted_status = CASE quoted_status WHEN 'ended' THEN 'unknown' "
             "ELSE 'ended' END", "processing"),)),
    P("C13", "coming back on another network than its parcel", (
      "INSERT INTO alias (id, parcel, waybill, network, at) SELECT 'a', id, 'R1', "
      f"network || 'x', 1 FROM parcel WHERE id = ({ORDER_OF % 'returned'})",)),
    P("I5", "two open interceptions of a parcel", (
      set_of("interception", f"parcel = ({ORDER_OF % 'accepted'})", "sending"),)),
    P("K2", "a push applied twice", (
      "INSERT INTO inbox SELECT id || 'x', channel, account, tier, verified, body, content_type, "
      "sha256, received_at, applied_at, status FROM inbox WHERE status = 'applied'",)),
    P("K2", "two rows of one event key", ("@loose inbox",
      "INSERT INTO inbox SELECT * FROM inbox WHERE status = 'quarantined'")),
    P("K2", "a push under the key of another account", (
      "UPDATE inbox SET account = 'b' WHERE status = 'applied'",)),
    P("K3", "moved by a push that was not verified", (
      "UPDATE inbox SET verified = 0 WHERE status = 'quarantined'",
      "UPDATE evidence SET inbox = (SELECT id FROM inbox WHERE status = 'quarantined')")),
    P("K3", "a push applied that was not verified", (
      "UPDATE inbox SET verified = 0 WHERE status = 'applied'",)),
    P("K3", "moved by what nobody signed", (
      set_of("evidence", "tier = 3", "returned"),)),
    P("K6", "a push nobody read", (
      "UPDATE inbox SET status = 'new', applied_at = NULL, received_at = 0 "
      "WHERE status = 'unmatched'",)),
    P("K6", "an unreadable push nobody was told of", (
      "DELETE FROM exception WHERE kind = 'QUARANTINED'",
      "UPDATE inbox SET received_at = 0 WHERE status = 'quarantined'")),
    P("P1", "awards above the cap", (
      set_of("interception", "cap_minor = 100", "lost"),)),
    P("P1", "awards above the loss", (set_of("claim", "loss_minor = 100", "lost"),)),
    P("P1", "awards above the value of the line", (
      f"UPDATE order_line SET list_minor = 100 WHERE parcel = ({ORDER_OF % 'lost'})",)),
    P("P1", "an award for goods of no value", (
      f"UPDATE order_line SET paid_minor = 0, declared_minor = 0 "
      f"WHERE parcel = ({ORDER_OF % 'lost'})",)),
    P("P1", "an award of nothing", ("UPDATE award SET amount = 0",)),
    P("P1", "an award for another line than claimed", ("UPDATE award SET line_no = '2'",)),
    P("P2", "an award that no entry owes", ("DELETE FROM transfer WHERE kind = 'award'",)),
    P("P2", "an award owed twice", ("@loose transfer",
      "INSERT INTO transfer SELECT id || 'x', kind, source, target, amount, currency, "
      "interception, award, dedup, actor, cause, at FROM transfer WHERE kind = 'award'")),
    P("P2", "a pay-out without an award", (
      "UPDATE transfer SET award = 'nobody' WHERE kind = 'payout'",)),
    P("P2", "a pay-out under the key of another award", (
      "UPDATE transfer SET dedup = 'payout:other:' || id WHERE kind = 'settle_offline'",)),
    P("P3", "an entry above the award", (
      "UPDATE transfer SET amount = amount + 1 WHERE kind = 'award'",)),
    P("P3", "an award paid out twice", (again("payout", "lost", of="payout"),)),
    P("P3", "an award paid in another currency", (
      "UPDATE transfer SET currency = 'USD' WHERE kind = 'payout'",)),
    P("P4", "an award for nothing that happened", ("DELETE FROM incident",)),
    P("P4", "a failed return that the sender refused", (
      set_of("event", "cause = 'SENDER_REFUSED'", "failed", "target = 'RETURN_FAILED'"),)),
    P("P5", "a loss awarded after the parcel was found", (
      f"UPDATE award SET at = at + {30 * DAY} WHERE {AWARD_OF % 'found'}",)),
    P("P5", "a parcel found after its award, and nobody told", (
      "DELETE FROM exception WHERE kind = 'RECOVERY'",)),
    P("P6", "one decision, two awards", ("@loose award",
      "UPDATE award SET decision_key = 'carrier:zto:1:2500'")),
    P("P7", "one actor files and awards a great sum", (
      "UPDATE award SET amount = 60000, actor = 'clerk'",)),
    P("M11", "billed, and not what was paid", (
      "UPDATE statement_line SET amount = amount + 1 WHERE kind = 'FEE' AND line_no = 1",)),
    P("R1", "one file in two statements", ("@loose statement",
      "UPDATE statement SET sha256 = (SELECT MIN(sha256) FROM statement)")),
    P("R1", "two statements of one number", ("@loose statement",
      "UPDATE statement SET corrected = NULL, number = 'zto-1' WHERE channel = 'zto'")),
    P("R1", "lines that are not the total", (
      "UPDATE statement SET total_minor = total_minor + 1",)),
    P("R1", "a part that never came", ("DELETE FROM statement_part",)),
    P("R1", "a line that never came", (
      "UPDATE statement_part SET lines = lines + 1",)),
    P("R1", "a line that was not matched", (
      "DELETE FROM line_match WHERE interception = '{returned}'",)),
    P("R1", "a line that was matched twice", ("@loose line_match",
      "INSERT INTO line_match SELECT * FROM line_match WHERE interception = '{returned}'")),
    P("R1", "an entry above its line", (
      "UPDATE transfer SET amount = amount + 1 WHERE kind = 'statement_fee'",)),
    P("R1", "a line that is not ours, entered as a fee", (
      "UPDATE transfer SET kind = 'statement_fee' WHERE kind = 'statement_unmatched'",)),
    P("R1", "an entry that no line made", (
      "INSERT INTO transfer SELECT id || 'x', kind, source, target, amount, currency, "
      "interception, award, dedup || 'x', actor, cause || 'x', at FROM transfer "
      "WHERE kind = 'statement_fee'",)),
    P("R1", "a line taken back, and its entry not", ("UPDATE withdrawal SET transfer = NULL",)),
    P("R1", "a fee given back twice", ("@loose line_match",
      "INSERT INTO line_match SELECT id || 'x', statement, state, interception, claim, award, "
      "settles, carried, transfer FROM line_match WHERE settles IS NOT NULL")),
    P("R2", "captured, never billed, and nobody told", (
      "DELETE FROM exception WHERE kind = 'FEE_NOT_BILLED'",)),
    P("R2", "two fees for one interception", (
      "UPDATE line_match SET state = 'MATCHED' "
      "WHERE state = 'UNMATCHED' AND interception = '{lost}' AND carried IS NULL",)),
    P("R2", "a line of a stranger's, and nobody told", (
      "DELETE FROM difference WHERE line_no > 0 AND interception IS NULL AND claim IS NULL",)),
    P("R2", "a fee that differs, and nobody told", (
      "DELETE FROM difference WHERE interception = '{returning}'",)),
    P("R2", "one line, two exceptions", (
      "INSERT INTO difference SELECT id || 'x', statement, line_no, waybill, interception, claim, "
      "award, expected, actual, currency FROM difference WHERE interception = '{returning}'",)),
    P("R2", "a fee laid to another account", ("UPDATE statement SET account = 'b'",)),
    P("R3", "paid by the carrier, and still owed", (
      "UPDATE transfer SET amount = amount - 1 WHERE kind = 'statement_claim'",)),
    P("R3", "paid to us what the carrier pays to merchants", (
      f"UPDATE award SET channel = 'offline' WHERE {AWARD_OF % 'lost'}",)),
    P("O1", "a fee held with nobody at work", (
      "UPDATE job SET state = 'done', owner = '' WHERE subject = '{processing}'",)),
    P("O1", "a parcel on its way back that nobody follows", (
      "UPDATE job SET state = 'dead', owner = '' WHERE subject = '{returning}'",)),
    P("O1", "a late acceptance closed and forgotten", (
      "DELETE FROM job WHERE subject = '{late}'",
      "UPDATE exception SET closed_at = 1, closed_by = 'x' WHERE subject = '{late}'")),
    P("O2", "a lease that nobody ends", ("UPDATE job SET lease_until = 1 WHERE state = 'leased'",)),
    P("O8", "a person of a purged parcel", purged("person", "district = '朝阳区'")),
    P("O8", "a title of a purged parcel", purged("order_line", "title = 'shirt'")),
    P("O8", "a place of a purged parcel", purged("scan", "place = '深圳'")),
    P("O8", "a description of a claim of a purged parcel", purged("claim", "description = 'x'")),
    P("O8", "a proof of a claim of a purged parcel", (
      *purged("claim", "description = ''"), "INSERT INTO proof "
      f"SELECT 'p', ({CLAIM_OF % 'damaged'}), 'photo', 'https://x', '', '', 0")),
    P("O8", "a parcel that should have been purged", (
      f"UPDATE parcel SET registered_at = registered_at - {182 * DAY} "
      f"WHERE id = ({ORDER_OF % 'free'})",
      f"UPDATE scan SET at = at - {182 * DAY}, arrived_at = arrived_at - {182 * DAY} "
      f"WHERE parcel = ({ORDER_OF % 'free'})",
      set_of("interception", f"decided_at = decided_at - {182 * DAY}", "free"))),
    P("O8", "a push that should have been purged", (
      f"UPDATE inbox SET received_at = received_at - {182 * DAY} WHERE status = 'applied'",)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Month:
    """A whole correct ledger, what is in it, and the moment it was closed."""

    engine: Engine
    told: dict[str, str]
    at: Moment
    live: list[Finding]


@pytest.fixture(scope="module", params=ENGINES)
def ledger(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Month]:
    with engine(request.param, tmp_path_factory.mktemp("audit")) as made:
        yield asyncio.run(_month(made))


async def _month(made: Engine) -> Month:
    desk = await opened(made)
    try:
        told = await month(desk)
        return Month(made, told, moment(desk), await desk.store.audit())
    finally:
        await desk.store.stop()


def moment(desk: Desk) -> Moment:
    return Moment(now=desk.clock.now(), machine_ms=desk.clock.machine_ms())


def audited(made: Engine, at: Moment) -> list[Finding]:
    """What the command line sees, whether or not a gateway has it open."""

    async def look() -> list[Finding]:
        database = driver(made.url)
        try:
            return await database.audit(at)
        finally:
            await database.close()

    return now(look())


def planted(ledger: Month, plant: Plant) -> list[Finding]:
    with ledger.engine.session(loose=True) as db:
        kept = []
        if ledger.engine.name == "sqlite" and plant.rule != "M8":  # elsewhere no trigger fires
            kept = db.rows("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        for name, _ in kept:
            db.execute(f"DROP TRIGGER {name}")
        for statement in plant.statements:
            for text in worded(statement, ledger.engine.name, ledger.told):
                assert db.execute(text) != 0, f"breaks nothing: {text}"
        for _, sql in kept:
            db.execute(sql)
        return db.audit(ledger.at)


def test_the_month_holds_every_decision_movement_and_money(ledger: Month) -> None:
    with ledger.engine.session() as db:
        for column, seen in (
            ("decision", {"QUEUED", "SENDING", "PROCESSING", "UNKNOWN", "ACCEPTED", "REFUSED",
                          "CANCELLED", "NEVER_SENT", "LATE_ACCEPTED"}),
            ("movement", {"NONE", "RETURNING", "RETURNED", "LOST", "RETURN_FAILED"}),
            ("money", {"NONE", "HELD", "CAPTURED", "RELEASED", "REFUNDED"}),
            ("cancel", {"NONE", "DENIED", "DONE"}),
        ):  # fmt: skip
            assert {row[0] for row in db.rows(f"SELECT {column} FROM interception")} == seen


def test_a_correct_ledger_is_silent_under_a_running_gateway(ledger: Month) -> None:
    assert ledger.live == []


def test_a_correct_ledger_is_silent_at_rest(ledger: Month) -> None:
    assert audited(ledger.engine, ledger.at) == []


def test_a_copy_without_constraints_is_silent(ledger: Month) -> None:
    nothing = Plant("", "nothing is broken", ())
    assert planted(ledger, nothing) == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.rule}: {plant.fault}")
def test_a_broken_rule_is_seen(ledger: Month, plant: Plant) -> None:
    found = {finding.rule: finding for finding in planted(ledger, plant)}
    assert plant.rule in found
    assert found[plant.rule].count >= 1
    assert all(key and fault for key, fault in found[plant.rule].rows)


def test_every_rule_has_a_title_and_is_broken_once() -> None:
    assert all(rule.title for rule in RULES)
    assert {plant.rule for plant in PLANTS} == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_every_rule_that_was_asked_for_is_there() -> None:
    asked = [f"M{n}" for n in range(1, 12)] + [f"C{n}" for n in range(6, 14)]
    asked += [
        "I5",
        "K2",
        "K3",
        "K6",
        *(f"P{n}" for n in range(1, 8)),
        "R1",
        "R2",
        "R3",
        "O1",
        "O2",
        "O8",
    ]
    assert [rule.name for rule in RULES] == asked


def test_many_rows_are_counted_and_the_first_are_shown(ledger: Month) -> None:
    plant = Plant("C6", "", (f"UPDATE transfer SET at = at + {90 * DAY} WHERE kind = 'hold'",))
    [finding] = [f for f in planted(ledger, plant) if f.rule == "C6"]
    assert len(finding.rows) == min(finding.count, ROWS_MAX)
    assert finding.count > ROWS_MAX


@pytest.mark.parametrize("name", ENGINES)
async def test_a_fee_kept_on_a_withdrawal_is_silent(name: str, tmp_path: Path) -> None:
    with engine(name, tmp_path) as made:
        desk = await opened(made, fee_on_cancel=OnCancel.KEEP)
        kept = await desk.create("sf")
        await desk.answer(kept, Verdict.ACCEPTED, reference="cus")
        await desk.cancel(kept)
        ended = await desk.answer_cancel(kept, Verdict.CANCELLED)
        assert (ended.decision, ended.money) == ("CANCELLED", "CAPTURED")
        assert await desk.store.audit() == []
        await desk.store.stop()


async def test_a_restart_with_work_under_way_is_silent(tmp_path: Path) -> None:
    """A lease of a process that has gone is free at once, not forgotten: it had the file alone."""
    with engine("sqlite", tmp_path) as made:
        desk = await opened(made)
        left = await desk.create("sf")
        await desk.store.stop()
        desk = Desk(made, Store(driver(made.url), desk.clock, terms()), desk.clock)
        await desk.store.start()
        assert await desk.store.audit() == []
        await desk.lease()
        assert (await desk.get(left)).decision == "UNKNOWN"
        assert await desk.store.audit() == []
        await desk.store.stop()


def test_leases_are_not_judged_where_no_worker_is_alive(ledger: Month) -> None:
    with ledger.engine.session() as db:
        db.execute("UPDATE job SET lease_until = 1 WHERE state = 'leased'")
        assert [f.rule for f in db.audit(ledger.at)] == ["O2"]
        assert db.audit(Moment(now=ledger.at.now)) == []


def test_the_audit_changes_nothing(ledger: Month) -> None:
    tables = [table for _, table, _ in TABLES]
    before = [ledger.engine.table(f"SELECT * FROM {table} ORDER BY id") for table in tables]
    audited(ledger.engine, ledger.at)
    after = [ledger.engine.table(f"SELECT * FROM {table} ORDER BY id") for table in tables]
    assert before == after


def test_a_file_that_is_not_there_is_an_error_and_stays_away(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        audited(Engine("sqlite", f"sqlite:///{tmp_path / 'none.sqlite3'}"), Moment(now=0))
    assert list(tmp_path.iterdir()) == []


def test_the_audit_reads_one_moment_while_others_write(ledger: Month, tmp_path: Path) -> None:
    """A change committed after the reading began is not seen, in part or in whole."""
    with copied(ledger.engine, tmp_path) as made:
        with made.session() as reader:
            if made.name == "postgres":
                reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            assert reader.rows("SELECT COUNT(*) FROM account")
            made.run("UPDATE account SET balance = balance + 1 WHERE kind = 'AVAILABLE'")
            assert reader.audit(ledger.at) == []
        assert {f.rule for f in audited(made, ledger.at)} == {"M2", "M9"}
