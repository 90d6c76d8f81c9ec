"""`python -m tests.fuzz [part …]`: seeded fuzzing of everything that comes in from outside.

Without a part it runs them all. Each input follows from seed, part and index alone, so
`--only <index>` repeats one of them.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tests.fuzz import bodies, calls, configs, forged, over_http, statements
from tests.fuzz.run import Tally

Run = Callable[[Tally, Iterable[int]], None]


@dataclass(frozen=True, slots=True)
class Part:
    run: Run
    count: int  # inputs of a full run
    about: str


PARTS: Mapping[str, Part] = {
    "bodies": Part(bodies.run, 1_000_000, "push bodies in process, each dialect"),
    "http": Part(over_http.run, 10_000, "requests to the push endpoints of a running gateway"),
    "grpc": Part(calls.run, 100_000, "messages to every method of a running gateway"),
    "forged": Part(forged.run, 100_000, "pushes whose signature, account or secret is wrong"),
    "statements": Part(statements.run, 100_000, "statement files, and statements about a ledger"),
    "config": Part(configs.run, 5_000, "configurations, checked and built"),
}


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    about = "; ".join(f"{name}: {part.about}" for name, part in PARTS.items())
    parser.add_argument("parts", nargs="*", metavar="part", help=about)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, help="inputs of each part; without it, a full run")
    parser.add_argument("--only", type=int, metavar="INDEX", help="this one input and no other")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    inputs = violations = 0
    for name in given.parts or PARTS:
        count = PARTS[name].count if given.count is None else given.count
        indexes = range(count) if given.only is None else [given.only]
        tally = Tally(name, given.seed, len(indexes), say=say)
        PARTS[name].run(tally, indexes)
        print(tally.report(), flush=True)
        inputs += tally.inputs
        violations += len(tally.violations)
    print(f"fuzz: {inputs} inputs, {violations} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
