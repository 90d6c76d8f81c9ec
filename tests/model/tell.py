"""The table and the traces, for people."""

from collections.abc import Iterator, Sequence

from tests.model.cases import Case, Verdict, judge
from tests.model.parts import State, Step, World
from tests.model.search import Report

WORKERS = ("A", "B")
TOLD = {
    "accepted": "yes",
    "received": "received",
    "refused": "no",
    "duplicate": "had it already",
    "busy": "nothing left",
    "unknown": "no answer",
    "absent": "no such order",
    "cancelled": "withdrawn",
    "too_late": "too late",
}
WORDS = {
    "lease": "{w} takes the job and writes attempt {n}",
    "check": "{w} looks at its lease: good",
    "no_check": "{w} goes on without a look at its lease",
    "too_late_to_send": "{w} looks at its lease: it is too late to send",
    "no_connection": "{w} gets no connection",
    "send": "{w} opens the socket: request {n} leaves",
    "time_out": "{w} hears nothing and gives up waiting",
    "hear": "{w} reads the reply to {n}: {c}",
    "commit": "{w} commits what came of attempt {n}: {c}",
    "crash": "{w} is killed, and starts again",
    "take_over": "the lease has run out: the attempt is given up for lost",
    "expire": "the send deadline has passed with nothing sent",
    "withdraw": "the merchant withdraws",
    "look": "{w} asks the carrier ({c})",
    "observe": "{w} commits what it was told ({c})",
    "unread": "the answer to {w}'s question is lost",
    "lease_cancel": "{w} takes the cancel",
    "cancel": "{w} sends the cancel; the carrier says {a}, {w} hears {b}",
    "commit_cancel": "{w} commits the answer to the cancel: {c}",
    "lose": "request {n} is lost on its way",
    "recognise": "request {n} arrives, and is seen to be a repeat: {c}",
    "receive": "request {n} arrives: received, to be decided",
    "refuse": "the carrier refuses request {n}",
    "accept": "the carrier accepts request {n}",
    "deliver": "the parcel is delivered to the buyer",
    "turn": "the parcel turns back",
    "turn_otherwise": "the parcel turns back for another cause",
    "deadline": "the send deadline passes",
    "bound": "the in-flight bound passes",
    "overdue": "the time for evidence has passed",
}


def told(step: Step) -> str:
    said, _, heard = step.choice.partition("/")
    return WORDS[step.name].format(
        w=WORKERS[step.worker],
        n=step.post + 1 if step.post >= 0 else "",
        c=TOLD.get(step.choice, step.choice),
        a=TOLD.get(said, said),
        b=TOLD.get(heard, heard),
    )


def trace(way: Sequence[tuple[Step, State]]) -> Iterator[str]:
    """One line per step, with the two columns that people ask for."""
    attempts = 0
    for number, (step, after) in enumerate(way, 1):
        attempts = len(after.posts)
        line = told(step._replace(post=attempts - 1) if step.name == "lease" else step)
        yield f"  {number:>2}. {line:<72} {after.decision} {after.money}"


def bounds(world: World) -> str:
    said = f"{world.posts_max} attempts, {world.crashes_max} crashes"
    return said + (", withdrawals" if world.merchant_withdraws else "")


LEGEND = """
two workers; each may stop at any step for as long as it likes, a lease may run out at any step
late   states in LATE_ACCEPTED, an exception with each: in a SAFE row the parcel was delivered, or
       turned round for another cause, before the yes came; else the carrier broke a promise
ends   where every fair run ends: decided alone, or decided or in the hands of a person
trace  length of the shortest way to what is broken, else to an acceptance that came late
"""
HEAD = ("protocol", "carrier", "bounds", "states", "verdict", "late", "ends", "trace")


def row(case: Case, report: Report, world: World) -> tuple[str, ...]:
    shown = report.shown(case.fault)
    unsafe = case.verdict is Verdict.UNSAFE
    ends = "" if unsafe else "alone" if report.alone else "or a person"
    return (
        case.protocol,
        case.carrier,
        bounds(world),
        f"{report.states:,}",
        judge(case, report),
        "" if unsafe else str(report.late or ""),
        ends,
        str(len(report.traces(shown))) if shown >= 0 else "",
    )


def table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()
