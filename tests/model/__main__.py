"""`python -m tests.model`: the table, the counterexamples, and 1 where a verdict is not as said."""

import argparse
import sys
import time

from tests.model.cases import CASES, Case, explore, surprises
from tests.model.search import Report
from tests.model.tell import HEAD, LEGEND, row, table, trace


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    asked.add_argument("--deep", action="store_true", help="larger bounds: minutes, gigabytes")
    asked.add_argument("--traces", action="store_true", help="print what breaks, step by step")
    asked.add_argument("--only", default="", help="cases whose name contains this")
    given = asked.parse_args()
    rows: list[tuple[str, ...]] = [HEAD]
    wrong = 0
    began = time.process_time()
    told: list[str] = []
    for case in CASES:
        if given.only not in case.name:
            continue
        report = explore(case, deep=given.deep)
        rows.append(row(case, report, case.bounds(deep=given.deep)))
        found = surprises(case, report)
        wrong += bool(found)
        told += [f"{case.name}: {one}" for one in found]
        if given.traces:
            told += story(case, report)
        print(f"{case.name}: {report.states} states", file=sys.stderr, flush=True)
    print("\n".join(table(rows)))
    print(LEGEND)
    print("\n".join(told))
    seconds = time.process_time() - began
    print(f"model: {len(rows) - 1} cases, {wrong} surprises, {seconds:.1f} s of CPU")
    return 1 if wrong else 0


def story(case: Case, report: Report) -> list[str]:
    """What the case shows: a fault, an acceptance that came late, and a state without a way on."""
    shown = report.shown(case.fault)
    broken = [fault for fault, state in report.faults.items() if state == shown]
    told = {broken[0] if broken else "accepted late": shown, "nobody learns": report.first_trap}
    return [
        line
        for title, state in told.items()
        if state >= 0
        for line in ("", f"{case.name}: {title}", *trace(report.traces(state)))
    ]


if __name__ == "__main__":
    sys.exit(main())
