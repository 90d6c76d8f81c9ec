"""What the demo prints at the end: money, claims, one whole log, and the audit, rule by rule."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loadtest import verdict
from loadtest.demo import Result
from loadtest.evidence import Claim, Filing, Interception, Rule, Step
from loadtest.fleet import CAP_MINOR
from loadtest.scenario import Day, clock_text

LOGS_MAX = 3  # logs shown for the violations of one rule
VIOLATIONS_MAX = 5
LEAST_WIDTH = 112
RUNNER_WIDTH = 150  # where there is no terminal to ask
SHOWN = ("answer_lost", "lost", "returned")  # cases whose log is worth reading, best first
LEDGER = (
    ("TOP_UP", "top-ups"),
    ("CAPTURE", "captured"),
    ("REFUND", "refunded"),
    ("RELEASE", "released"),
    ("PAYOUT", "awards paid in"),
    ("SETTLE_OFFLINE", "settled off-line"),
)


def console(*, stderr: bool = False) -> Console:
    """Without escape codes, and wide enough, where nobody looks at a terminal."""
    found = Console(stderr=stderr, highlight=False)
    if found.is_terminal:
        return found
    return Console(stderr=stderr, highlight=False, width=RUNNER_WIDTH, no_color=True)


def yuan(minor: int) -> str:
    sign = "-" if minor < 0 else ""
    units, rest = divmod(abs(minor), 100)
    return f"{sign}{units:,}.{rest:02}"


def show(result: Result, out: Console) -> None:
    if out.width < LEAST_WIDTH:
        out.width = LEAST_WIDTH  # rather a wrapped line than an amount cut short
    for table in (_refused(result), _wallets(result), _claims(result), _exceptions(result)):
        out.print(table)
        out.print()
    chosen = _worth_reading(result)
    if chosen is not None:
        out.print(_log(chosen, result.day))
        out.print()
    _figures(result, out)
    for line in audit_lines(result):
        out.print(line, markup=False, soft_wrap=True)


def last_line(rules: Sequence[Rule]) -> str:
    broken = sum(1 for rule in rules if rule.violations)
    return f"audit: {len(rules)} rules, {broken} violations"


def audit_lines(result: Result) -> Iterator[str]:
    """One line a rule; below a broken one what differs, and the logs concerned."""
    by_id = {one.id: one for one in result.evidence.interceptions}
    for rule in result.rules:
        yield f"{'FAIL' if rule.violations else 'ok':<4}  {rule.name:<14} {rule.title}"
        for interception, sentence in rule.violations[:VIOLATIONS_MAX]:
            yield f"        {interception or '-'}: {sentence}"
        if len(rule.violations) > VIOLATIONS_MAX:
            yield f"        and {len(rule.violations) - VIOLATIONS_MAX} more"
        concerned = [by_id[key] for key, _ in rule.violations if key in by_id]
        for one in concerned[:LOGS_MAX]:
            yield f"        log of {one.id}, {one.carrier} {one.waybill}:"
            for step in one.log:
                yield f"          {_when(step, result.day)}  {_what(step)}"


def as_json(result: Result) -> dict[str, Any]:
    evidence, figures = result.evidence, result.figures
    return {
        "seed": evidence.seed,
        "orders": result.day.order_count,
        "parcels": len(result.day.parcels),
        "decisions": dict(Counter(one.decision for one in evidence.interceptions)),
        "movements": dict(Counter(one.movement for one in evidence.interceptions)),
        "ledger_minor": result.ledger,
        "figures": {name: getattr(figures, name) for name in type(figures).__slots__},
        "rules": [
            {"name": rule.name, "title": rule.title, "violations": rule.violations}
            for rule in result.rules
        ],
        "audit": last_line(result.rules),
    }


# -- tables -------------------------------------------------------------------------------


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _refused(result: Result) -> Table:
    table = _table("Not eligible: every unmet condition at once")
    for column in ("carrier", "waybill", "condition", "zh-CN", "en-US"):
        table.add_column(column)
    for asked in result.evidence.asked:
        for number, reason in enumerate(asked.unmet):
            words = asked.words[number]
            place = ("", "") if number else (asked.carrier, asked.waybill)
            table.add_row(*place, reason, *(escape(word) for word in words))
    return table


def _wallets(result: Result) -> Table:
    table = _table("Wallets, in CNY")
    table.add_column("merchant")
    for column in ("available", "held", *(title for _, title in LEDGER)):
        table.add_column(column, justify="right", no_wrap=True)
    titles = {merchant.id: merchant.title for merchant in result.day.merchants}
    for wallet in result.evidence.wallets:
        moved = result.ledger[wallet.merchant]
        amounts = (wallet.available, wallet.held, *(moved.get(kind, 0) for kind, _ in LEDGER))
        table.add_row(titles[wallet.merchant], *(yuan(amount) for amount in amounts))
    return table


def _claims(result: Result) -> Table:
    table = _table(f"Claims, in CNY; cap {yuan(CAP_MINOR)} a parcel")
    for column in ("", "waybill", "kind"):
        table.add_column(column, no_wrap=True)
    for column in ("value", "loss", "granted", "cap left", "awarded"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("paid", "state"):
        table.add_column(column, no_wrap=True)
    claims = {claim.id: claim for claim in result.evidence.claims}
    filed = [(f, claims[f.claim]) for f in result.evidence.filings if f.claim in claims]
    truth = {(line["carrier"], line["waybill"]): line for line in result.evidence.truth}
    spent: Counter[str] = Counter()
    for filing, claim in sorted(filed, key=_by_parcel):
        granted = verdict.expected_grant(truth[filing.carrier, filing.waybill], filing, claim)
        awarded = sum(award.amount for award in claim.awards)
        left = CAP_MINOR - spent[claim.waybill]
        spent[claim.waybill] += awarded
        amounts = (filing.value, filing.loss, granted, left, awarded)
        paid = awarded == sum(award.paid for award in claim.awards)
        how = claim.awards[0].channel.lower() if claim.awards else ""
        table.add_row(
            claim.carrier,
            claim.waybill,
            claim.kind.lower().replace("_", " "),
            *(yuan(amount) for amount in amounts),
            how if paid else "unpaid",
            claim.state.lower().replace("_", " "),
        )
    return table


def _by_parcel(pair: tuple[Filing, Claim]) -> tuple[str, str, int]:
    """Parcel by parcel, and its claims in the order of their decisions."""
    filing, claim = pair
    first = min((award.at_ms for award in claim.awards), default=2**62)
    return filing.carrier, filing.waybill, first


def _exceptions(result: Result) -> Table:
    table = _table("Exceptions: what needs a person")
    table.add_column("kind")
    table.add_column("count", justify="right")
    table.add_column("waybills")
    waybills: dict[str, list[str]] = {}
    for case in result.evidence.exceptions:
        waybills.setdefault(case.kind, []).append(case.waybill)
    for kind, found in sorted(waybills.items()):
        told = ", ".join(sorted(filter(None, found))[:4])
        table.add_row(kind.lower(), str(len(found)), told + (" …" if len(found) > 4 else ""))
    return table


def _worth_reading(result: Result) -> Interception | None:
    """A whole story, with an unknown in it if there is one."""
    cases = {asked.key: asked.case for asked in result.evidence.asked}

    def rank(one: Interception) -> tuple[int, int]:
        case = cases.get((one.carrier, one.waybill), "")
        order = SHOWN.index(case) if case in SHOWN else len(SHOWN)
        unknown = any(step.target == "UNKNOWN" for step in one.log)
        return order, 0 if unknown and one.movement == "RETURNED" else 1

    return min(result.evidence.interceptions, key=rank, default=None)


def _log(one: Interception, day: Day) -> Table:
    title = f"Log of {one.id}: {one.carrier} {one.waybill}, fee {yuan(one.fee)}"
    table = _table(title)
    for column in ("when", "what", "actor", "cause", "evidence"):
        table.add_column(column, overflow="fold")
    for step in one.log:
        table.add_row(
            _when(step, day), _change(step), step.actor, escape(step.cause), step.evidence
        )
    return table


def _when(step: Step, day: Day) -> str:
    return clock_text(step.at_ms, day.starts_ms)


def _change(step: Step) -> str:
    if step.column == verdict.NOTE:
        return "·"
    before = f"{step.source} → " if step.source else ""
    return f"{step.column.lower()} {before}{step.target}"


def _what(step: Step) -> str:
    return f"{_change(step)}  {step.cause}  by {step.actor}  {step.evidence}".rstrip()


def _figures(result: Result, out: Console) -> None:
    figures, evidence = result.figures, result.evidence
    out.print(
        f"{result.day.order_count} orders in {len(result.day.parcels)} parcels, "
        f"{len(evidence.interceptions)} interceptions, {len(evidence.claims)} claims, "
        f"{len(evidence.watched)} events watched over {evidence.watch_resumed} resumptions, "
        f"{sum(evidence.pushes.values())} pushes; "
        f"{figures.replayed} Creates sent twice and answered alike",
        soft_wrap=True,
    )
    out.print(
        f"Quote p50 {figures.quote_p50} ms, p99 {figures.quote_p99} ms; "
        f"Create p50 {figures.create_p50} ms, p99 {figures.create_p99} ms; "
        f"set up in {figures.set_up_ms} ms, run in {figures.run_ms} ms; seed {evidence.seed}"
    )
