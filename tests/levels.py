"""How much of each adapter is proved: `python -m tests.levels` runs the contract and writes it.

An adapter is *listed* when the contract suite passes for it, and *proven* when what it declares
holds against its dialect too. The hash of what was tested stands beside the level, so that a
change of any of it is noticed until the contract has been run again.
"""

import hashlib
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import parse

from adapters import ADAPTERS
from simulator.dialects import DIALECTS

ROOT = Path(__file__).parent.parent
WRITTEN = ROOT / "adapters" / "levels.py"
SUITES = {"listed": "tests/test_adapters.py", "proven": "tests/dialects"}
HEAD = '''"""How much of each adapter is proved. Written by `python -m tests.levels`: hands off.

Listed: the contract suite passes, every code has a golden reply. Proven: what the adapter declares
holds against its simulated carrier too, repeats and lost answers among it.
"""

'''


def sources(name: str) -> list[Path]:
    """All that is the carrier's own: adapter, dialect, golden pairs."""
    found = [ROOT / "adapters" / f"{name}.py"]
    found += sorted((ROOT / "simulator" / "dialects").glob(f"{name}*.py"))
    return [*found, *sorted((ROOT / "tests" / "golden" / name).glob("*.json"))]


def digest(name: str) -> str:
    told = hashlib.sha256()
    for path in sources(name):
        told.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return told.hexdigest()[:16]


def carrier(test_id: str) -> str:
    """Whose test it is, by the id's first word; empty for one that is everybody's."""
    word = test_id.partition("[")[2].removesuffix("]").partition("-")[0].removesuffix(".py")
    return word if word in ADAPTERS else ""


def level(passed: Iterable[str], failed: Iterable[str]) -> str:
    """The highest level whose suite passed, and those below it; both name suites."""
    ran, broken, found = set(passed), set(failed), "unproven"
    for name in SUITES:
        if name in broken or name not in ran:
            break
        found = name
    return found


def levels(cases: Iterable[tuple[str, Element]]) -> dict[str, str]:
    """Suite and test case of every test that ran -> the level of each carrier.

    A failure of a test that is everybody's is everybody's.
    """
    passed, failed = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for suite, case in cases:
        bad = case.find("failure") is not None or case.find("error") is not None
        whose = carrier(case.attrib["name"])
        for name in [whose] if whose else ADAPTERS if bad else ():
            (failed if bad else passed)[name].add(suite)
    return {name: level(passed[name], failed[name]) for name in ADAPTERS}


def text(found: Mapping[str, str]) -> str:
    def table(title: str, rows: Mapping[str, str]) -> str:
        lines = "".join(f'    "{name}": "{value}",\n' for name, value in rows.items())
        return f"{title} = {{\n{lines}}}\n"

    hashes = {name: digest(name) for name in found}
    return HEAD + table("LEVELS", found) + table("SOURCES", hashes)


def main() -> None:
    cases: list[tuple[str, Element]] = []
    for suite, path in SUITES.items():
        with tempfile.TemporaryDirectory() as made:
            report = Path(made) / "report.xml"
            command = [sys.executable, "-m", "pytest", "-q", path, f"--junitxml={report}"]
            subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
            cases += [(suite, case) for case in parse(report).iter("testcase")]
    found = levels(cases)
    WRITTEN.write_text(text(found), "utf-8")
    without = sorted(set(ADAPTERS) - set(DIALECTS))
    for name, reached in found.items():
        print(f"{name}: {reached}{' (no dialect)' if name in without else ''}")


if __name__ == "__main__":
    main()
